import json

import numpy as np
import pytest

from baselines.corpora import TaggedSentence
from baselines.translation.base import ROUTES, Translator, make_translator, route_of, translate_distinct
from baselines.translation.words import WordSettings, WordTranslator, cased_like
from xlembed.alignment.procrustes import fit
from xlembed.errors import InputError
from xlembed.lexicon import Lexicon
from xlembed.retrieval import key_bias
from xlembed.vectors import WordVectors, read_vectors

ENGLISH = ["the", "cat", "sleeps", "i", "house", "green", "old", "maria", "well", "zero"]
GERMAN = ["die", "katze", "schläft", "ich", "haus", "grün", "alt", "maria", "gut", "null", ",", "7"]


def spaces():
    """English word i beside German word i; the comma and 7 lie where nobody should land: upon "well" and "zero"."""
    matrix = np.eye(len(ENGLISH), 12, dtype=np.float32)
    matrix[-1] = 0  # "zero" has a vector of zeros
    german = np.concatenate([np.eye(len(ENGLISH), 12, dtype=np.float32) * 0.5, matrix[8:10]])
    german[:10] += 0.05 * np.random.default_rng(0).normal(size=(10, 12)).astype(np.float32)
    return WordVectors(ENGLISH, matrix), WordVectors(GERMAN, german)


def translator(pairs=(), src="en", **settings):
    lexicon = Lexicon(list(pairs)) if pairs else None
    return WordTranslator(src, "de", *spaces(), lexicon, WordSettings(**settings))


def test_each_word_becomes_its_nearest_neighbour():
    made = translator()
    assert isinstance(made, Translator)
    assert made.translate_words(["the", "cat", "sleeps", "well"]) == ["die", "katze", "schläft", "gut"]
    assert made.translate(["The old cat sleeps, well...  really!"]) == ["Die alt katze schläft, gut...  really!"]


def test_it_finds_what_the_definition_of_csls_finds(rotated_pair, noisy_pair):
    for pair in (rotated_pair, noisy_pair):
        mapping = fit(pair.src, pair.trg, pair.lexicon)
        src, trg = mapping.map_src(pair.src), mapping.map_trg(pair.trg)
        scores = src.matrix @ trg.matrix.T + key_bias("csls", src.matrix, trg.matrix)
        wanted = [trg.words[i] for i in scores.argmax(axis=1)]
        assert WordTranslator("en", "de", src, trg).translate_words(src.words) == wanted


@pytest.mark.parametrize(
    ("word", "translation", "cased"),
    [("cat", "katze", "katze"), ("Cat", "katze", "Katze"), ("CAT", "katze", "KATZE"), ("A", "ein", "Ein"),
     ("McCat", "katze", "Katze"), ("cat", "Katze", "Katze"), ("iPod", "ding", "ding"), ("U.S.", "usa", "USA"),
     ("Cat", "", "")],
)  # fmt: skip
def test_casing(word, translation, cased):
    assert cased_like(word, translation) == cased


def test_english_i_is_no_capital_elsewhere():
    assert translator().translate_words(["I", "sleeps"])[0] == "Ich"
    assert translator().translate_words(["well", "I"])[1] == "ich"


def test_german_nouns_are_no_capitals_elsewhere_names_are():
    made = WordTranslator("de", "en", *reversed(spaces()))
    assert made.translate(["Die Katze, das Haus, Maria, HAUS"]) == ["The cat, das house, Maria, HOUSE"]
    sentence = TaggedSentence(("im", "Haus", "Katze"), ("O", "O", "B-LOC"))
    assert made.translate_tagged([sentence])[0].words == ("im", "house", "Cat")


def test_numbers_marks_and_unknown_words_are_copied():
    words = ["12", "3.5", "–", "xyzzy", "", "日本", "zero"]
    assert translator().translate_words(words) == words
    assert translator().translate(["", "  ", "...", "xyzzy 5"]) == ["", "  ", "...", "xyzzy 5"]


def test_compounds_go_part_by_part_and_initials_stay():
    assert translator().translate_words(["cat-house", "old-xyzzy", "R.H.", "cat’s"]) == [
        "katze-haus", "alt-xyzzy", "R.H.", "katze's"]  # fmt: skip
    assert translator(src="fr").translate(["l'old cat"]) == ["l'alt katze"]


def test_the_lexicon_comes_first_and_can_be_left_out():
    pairs = [("cat", "kater"), ("xyzzy", "zauber")]
    assert translator(pairs).translate_words(["Cat", "xyzzy", "old"]) == ["Kater", "zauber", "alt"]
    assert translator(pairs, use_lexicon=False).translate_words(["Cat", "xyzzy"]) == ["Katze", "xyzzy"]


def test_of_several_translations_the_nearest_or_the_most_frequent():
    pairs = [("cat", "nowhere"), ("cat", "die"), ("cat", "katze"), ("none", "alt"), ("none", "haus")]
    assert translator(pairs).translate_words(["cat", "none"]) == ["katze", "haus"]
    assert translator(pairs, several="frequent").translate_words(["cat", "none"]) == ["die", "haus"]
    assert translator([("cat", "a1"), ("cat", "b1")]).translate_words(["cat"]) == ["a1"], "neither has a vector"


def test_names():
    """maria is in both vocabularies, but its nearest neighbour here is another word."""
    src, trg = spaces()
    matrix = trg.matrix.copy()
    matrix[[4, 7]] = matrix[[7, 4]]
    trg = WordVectors(trg.words, matrix)
    found = {names: WordTranslator("en", "de", src, trg, settings=WordSettings(names=names)).translate_words(
        ["the", "Maria", "House"]) for names in ("shared", "always", "never")}  # fmt: skip
    assert found == {"shared": ["die", "Maria", "Maria"], "always": ["die", "Maria", "House"],
                     "never": ["die", "Haus", "Maria"]}  # fmt: skip
    made = WordTranslator("de", "de", src, trg)
    assert made.translate_words(["the", "Maria"]) == ["die", "haus"], "German capitals tell nothing"


def test_tags_are_kept_and_say_what_a_name_is():
    pairs = [("green", "grün"), ("house", "haus")]
    person = TaggedSentence(("Maria", "Green", "sleeps"), ("B-PER", "I-PER", "O"))
    place = TaggedSentence(("Green", "House"), ("B-LOC", "I-LOC"))
    src, trg = spaces()
    trg = WordVectors([*trg.words, "green"], np.concatenate([trg.matrix, trg.matrix[:1]]))
    made = WordTranslator("en", "de", src, trg, Lexicon(pairs))
    translated = made.translate_tagged([person, place, TaggedSentence(("cat",), ("O",))])
    assert [one.words for one in translated] == [("Maria", "Green", "schläft"), ("Grün", "Haus"), ("katze",)]
    assert [one.tags for one in translated] == [person.tags, place.tags, ("O",)]


def test_coverage():
    made = translator([("cat", "kater")])
    coverage = made.coverage([TaggedSentence(("the", "cat", "Maria", "7", "xyzzy", "cat-house", ",", "old"), None)])
    assert coverage.counts == {"nearest": 2, "lexicon": 1, "name": 1, "mark": 2, "unknown": 1, "parts": 1}
    assert coverage.share("nearest", "lexicon", "parts") == 50
    assert "8 words: 50.0 % translated (12.5 % by the lexicon" in coverage.describe()
    assert made.coverage_of_texts(["the cat", ""]).n_words == 2
    assert made.coverage([]).describe().startswith("0 words: 0.0 % translated")


def test_all_new_words_are_searched_for_once(monkeypatch):
    made = translator()
    asked = []
    search = made._neighbors
    monkeypatch.setattr(made, "_neighbors", lambda vectors: asked.append(len(vectors)) or search(vectors))
    sentences = [TaggedSentence(("the", "cat")), TaggedSentence(("the", "old", "Cat", "cat"))]
    made.translate_tagged(sentences)
    made.translate_tagged(sentences)
    assert asked == [4], "the, cat, old, Cat; nothing the second time"


def test_words_of_subwords_are_translated():
    src, trg = spaces()
    src = WordVectors(src.words, src.matrix, compose=lambda word: src.matrix[src.index["cat"]])
    assert WordTranslator("en", "de", src, trg).translate_words(["kitty"]) == ["katze"]


def test_identity_is_json_and_tells_what_matters():
    first = translator().identity()
    assert json.loads(json.dumps(first)) == first == translator().identity()
    src, trg = spaces()
    others = [translator(names="never"), translator([("a", "b")]), WordTranslator("en", "de", src, trg.top(11))]
    assert all(other.identity() != first for other in others)


def test_spaces_that_do_not_fit():
    src, trg = spaces()
    with pytest.raises(InputError, match="dim 12, the target's 5: both must lie in one space"):
        WordTranslator("en", "de", src, WordVectors(trg.words, trg.matrix[:, :5]))
    with pytest.raises(InputError, match="no word with a letter"):
        WordTranslator("en", "de", src, WordVectors(["1", ","], trg.matrix[:2]))
    for setting, match in (("names", "choose shared"), ("several", "choose nearest"), ("retrieval", "choose csls")):
        with pytest.raises(InputError, match=match):
            WordSettings(**{setting: "other"})


def test_routes_by_name(tmp_path):
    for name in ROUTES:
        function, settings = route_of(name).load()
        assert callable(function) and isinstance(settings, type)
    with pytest.raises(InputError, match="unknown translation route 'google': choose words, apertium"):
        make_translator("google", "en", "de")
    with pytest.raises(InputError, match="route words has no option 'model': it has use_lexicon"):
        make_translator("words", "en", "de", {"model": "x"})
    with pytest.raises(InputError, match="route words: missing 2 required keyword-only arguments: 'vectors'"):
        make_translator("words", "en", "de")
    with pytest.raises(InputError, match="no such file"):
        make_translator("words", "en", "de", {"vectors": tmp_path / "a.vec", "target_vectors": tmp_path / "b.vec"})


def test_files_in_either_direction_of_the_mapping(tmp_path, rotated_pair):
    from xlembed.alignment.base import save_mapping
    from xlembed.lexicon import write_lexicon
    from xlembed.vectors import write_vectors

    for name, vectors in (("src.vec", rotated_pair.src), ("trg.vec", rotated_pair.trg)):
        write_vectors(tmp_path / name, vectors)
    src, trg = read_vectors(tmp_path / "src.vec"), read_vectors(tmp_path / "trg.vec")
    save_mapping(tmp_path / "map", fit(src, trg, rotated_pair.lexicon))
    write_lexicon(tmp_path / "lexicon.txt", [("s1", "t2")])
    options = {"mapping": tmp_path / "map", "lexicon": tmp_path / "lexicon.txt"}
    forward = make_translator("words", "en", "de", {"vectors": tmp_path / "src.vec",
                                                    "target_vectors": tmp_path / "trg.vec"} | options)  # fmt: skip
    back = make_translator("words", "de", "en", {"vectors": tmp_path / "trg.vec", "reverse": True,
                                                 "target_vectors": tmp_path / "src.vec"} | options)  # fmt: skip
    assert forward.translate_words(["s1", "s7", "s9"]) == ["t2", "t7", "t9"]
    assert back.translate_words(["t2", "t7", "t9"]) == ["s1", "s7", "s9"]
    assert json.loads(json.dumps(back.identity())) == back.identity() != forward.identity()


class Upper:
    """A translator that counts what it is asked, and loses the word "gone"."""

    src, trg = "en", "de"

    def __init__(self):
        self.asked = []

    def identity(self):
        return {}

    def translate(self, texts):
        self.asked += texts
        return ["" if text == "gone" else text.upper() for text in texts]


def test_distinct_texts_are_translated_once_and_none_is_lost(capsys):
    made = Upper()
    assert translate_distinct(["a", "", "b", "a", "gone", " "], made) == ["A", "", "B", "A", "gone", " "]
    assert made.asked == ["a", "b", "gone"]
    told = capsys.readouterr().err
    assert "1 of 3 texts were translated into nothing and are kept as they are, such as 'gone'" in told
    assert translate_distinct([], made) == []


def test_pocket_vectors_translate_most_words():
    """In the package: English into German through the package's own lexicon."""
    from importlib.resources import files

    from xlembed.lexicon import read_lexicon

    pocket = files("xlembed.pocket")
    src, trg = (read_vectors(str(pocket / "vectors" / f"{lang}.safetensors")) for lang in ("en", "de"))
    lexicon = read_lexicon(str(pocket / "lexicon" / "en-de.train.txt"))
    mapping = fit(src, trg, lexicon)
    made = WordTranslator("en", "de", mapping.map_src(src), mapping.map_trg(trg), lexicon)
    assert made.translate_words(["The", "water", "is", "cold", "."])[1:4] == ["wasser", "ist", "kalt"]
    assert made.coverage_of_texts(["The library lends books for three weeks."]).share("unknown") == 0
