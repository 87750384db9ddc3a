"""Other programs' outputs: what is read agrees with seqeval, and each way of mixing up files is named."""

import json
import random

import pytest
from seqeval.metrics.sequence_labeling import get_entities

from baselines.corpora import file_text, gold_hash, read_items
from baselines.metrics import spans
from baselines.predictions import RunSettings, make_predictions, read_predictions, write_predictions
from comparisons.import_conll import SCHEMES, to_iob2
from comparisons.importing import Said, read_theirs
from comparisons.label_names import label_remarks
from comparisons.resolving import POCKET
from xlembed.errors import InputError

NER, NLI = Said("ner", lang="de"), Said("nli", lang="de")
NER_GOLD, NLI_GOLD = POCKET / "ner" / "de" / "test.tsv", POCKET / "nli" / "de" / "test.tsv"


@pytest.fixture(scope="module")
def sentences():
    return read_items("ner", NER_GOLD, "de")


@pytest.fixture(scope="module")
def pairs():
    return read_items("nli", NLI_GOLD, "de")


def noisy(tags, seed):
    """Tags with some mistakes, IOB2 that may break its rules."""
    rng = random.Random(seed)
    return [rng.choice(["O", "B-PER", "I-LOC", "I-PER", tag]) if rng.random() < 0.2 else tag for tag in tags]


def conll(sentences, separator=" ", gold=True, middle=()):
    """Lines as conlleval takes them, as a list."""
    lines = []
    for i, sentence in enumerate(sentences):
        rows = zip(sentence.words, sentence.tags, noisy(sentence.tags, i), strict=True)
        lines += [separator.join([word, *middle, *([tag] if gold else []), found]) for word, tag, found in rows] + [""]
    return lines


def write(path, lines, encoding="utf-8", end="\n"):
    path.write_bytes(end.join(lines).encode(encoding))
    return path


@pytest.mark.parametrize("gold", [True, False])
@pytest.mark.parametrize("separator", [" ", "\t"])
def test_columns_are_read(tmp_path, sentences, separator, gold):
    lines = ["-DOCSTART- -X- O O", "", *conll(sentences, separator, gold, middle=["NN"] if gold else [])]
    found = read_theirs(write(tmp_path / "theirs.conll", lines), NER, NER_GOLD)
    assert found.predicted == [noisy(s.tags, i) for i, s in enumerate(sentences)]
    assert found.gold == [list(s.tags) for s in sentences] and found.gold_sha256 == gold_hash(sentences)
    assert found.run.system == "theirs" and found.run.lang == "de" and found.run.split == "test.tsv"
    assert found.run.settings["checked"] == ("words, gold" if gold else "words")


def test_columns_with_gold_need_no_gold_file(tmp_path, sentences):
    path = write(tmp_path / "theirs.conll", conll(sentences))
    assert read_theirs(path, NER).gold_sha256 == gold_hash(sentences)
    path = write(tmp_path / "bare.conll", conll(sentences, gold=False))
    with pytest.raises(InputError, match="has no column of gold: give the test file as --gold"):
        read_theirs(path, NER)


def test_numbered_tokens_and_prefixes_of_a_language_are_passed_over(tmp_path):
    gold = write(tmp_path / "gold.tsv", ["de:Anna\tB-PER", "de:1\tO", "", "1\tO", "Rom\tB-LOC", ""])
    path = write(tmp_path / "t.tsv", ["0\tde:Anna\tO", "1\tde:1\tO", "", "0\t1\tO", "1\tRom\tB-LOC"])
    assert read_theirs(path, NER, gold).predicted == [["O", "O"], ["O", "B-LOC"]]
    gold = write(tmp_path / "digits.tsv", ["1\tO", "FC\tB-ORG"])
    path = write(tmp_path / "t.tsv", ["1\tO\tO", "FC\tB-ORG\tO"])  # a first word that is a number is no number of it
    assert read_theirs(path, NER, gold).predicted == [["O", "O"]]


def test_words_with_other_white_space_stay_whole(tmp_path):
    gold = write(tmp_path / "gold.tsv", ["10\u00a0000\tO", "a\u2028b\tO", "日\u3000本\tB-LOC"])
    path = write(tmp_path / "t.conll", ["10\u00a0000 O", "a\u2028b O", "日\u3000本 B-LOC"])
    assert read_theirs(path, NER, gold).predicted == [["O", "O", "B-LOC"]]


@pytest.mark.parametrize("scheme", SCHEMES)
def test_schemes_have_the_spans_that_seqeval_reads(scheme):
    rng = random.Random(0)
    tags = ["O", *(f"{letter}-{kind}" for letter in SCHEMES[scheme] for kind in ("PER", "LOC"))]
    like_seqeval = str.maketrans("LU", "ES")  # its default mode knows the letters of bioes
    for _ in range(3000):
        one = [rng.choice(tags) for _ in range(rng.randint(1, 8))]
        for_seqeval = [tag[0].translate(like_seqeval) + tag[1:] for tag in one]
        expected = {(kind, start, end + 1) for kind, start, end in get_entities(for_seqeval)}
        assert {(s.label, s.start, s.end) for s in spans(to_iob2(one, scheme))} == expected, one


def test_schemes_by_hand():
    assert to_iob2(["I-PER", "I-PER", "B-PER", "O", "I-LOC"], "iob1") == ["B-PER", "I-PER", "B-PER", "O", "B-LOC"]
    assert to_iob2(["S-PER", "B-LOC", "I-LOC", "E-LOC"], "bioes") == ["B-PER", "B-LOC", "I-LOC", "I-LOC"]
    assert to_iob2(["U-PER", "U-PER", "B-LOC", "L-LOC"], "bilou") == ["B-PER", "B-PER", "B-LOC", "I-LOC"]
    assert to_iob2(["I-PER"], "iob2") == ["I-PER"]


def test_gold_in_another_scheme_than_the_gold_file(tmp_path):
    gold = write(tmp_path / "gold.tsv", ["Anna\tB-PER", "Bo\tI-PER", "in\tO", "Rom\tB-LOC"])
    lines = ["Anna B-PER B-PER", "Bo E-PER E-PER", "in O O", "Rom S-LOC O"]
    found = read_theirs(write(tmp_path / "t.conll", lines), NER, gold, "bioes")
    assert found.predicted == [["B-PER", "I-PER", "O", "O"]]
    alone = read_theirs(tmp_path / "t.conll", NER, None, "bioes")
    assert alone.gold_sha256 == found.gold_sha256


def test_without_its_scheme_a_file_is_refused(tmp_path):
    path = write(tmp_path / "t.conll", ["Anna O O", "Bo S-PER S-PER"])
    with pytest.raises(InputError, match=r"t.conll:2: 'S-PER' is no tag of iob2 .*--scheme"):
        read_theirs(path, NER)
    with pytest.raises(InputError, match="unknown tag scheme 'bmes'"):
        read_theirs(path, NER, None, "bmes")


def dropped(lines, i):
    return lines[:i] + lines[i + 1 :]


def shuffled(sentences):
    return conll([sentences[1], sentences[0], *sentences[2:]])


CONLL_MISTAKES = {
    "one token dropped": (lambda s: dropped(conll(s), 1), r":2: token 'Markt', .* has 'dem' \(sentence 1, word 2\)"),
    "last token of a sentence dropped": (
        lambda s: dropped(conll(s), len(s[0].words) - 1),
        r"sentence 1 ends after \d+ words, in .* it has",
    ),
    "cut at a line": (lambda s: conll(s)[:-9], r"sentence \d+ ends after|ends after \d+ sentences"),
    "last sentences missing": (lambda s: conll(s[:-3]), "the last 3 are missing, it was cut short"),
    "a sentence too many": (lambda s: conll([*s, s[0]]), "it is of another split"),
    "sentences joined": (lambda s: dropped(conll(s), len(s[0].words)), "sentence 1 goes on, in .* it ends after"),
    "shuffled": (shuffled, "the sentences are the gold's in another order"),
    "gold edited": (
        lambda s: [line.replace(" B-LOC ", " B-ORG ", 1) if line.startswith("Oaxaca") else line for line in conll(s)],
        r":5: the gold column says B-ORG of 'Oaxaca', .* says B-LOC",
    ),
    "columns the wrong way round": (
        lambda s: [" ".join([p[0], *p[:0:-1]]) for line in conll(s) for p in [line.split(" ")]],
        "the gold column says",
    ),
    "a column missing": (lambda s: [*conll(s)[:3], "von O", *conll(s)[4:]], ":4: has 2 columns, .* have 3"),
    "no tags": (lambda s: [line.partition(" ")[0] for line in conll(s)], ":1: has the one column 'Auf'"),
    "no lines": (lambda s: ["", ""], "holds no token line"),
    "other names of types": (
        lambda s: [line.partition(" ")[0] + " B-PERSON" if line else "" for line in conll(s)],
        r"no predicted label \(PERSON .*\) occurs in the gold \(.*PER .*rename them",
    ),
    "another Unicode form": (
        lambda s: [line.replace("ü", "u\u0308") for line in conll(s)],
        "the same letters in another Unicode form",
    ),
}


@pytest.mark.parametrize("name", CONLL_MISTAKES)
def test_mistakes_in_columns(tmp_path, sentences, name):
    change, message = CONLL_MISTAKES[name]
    path = write(tmp_path / "t.conll", change(sentences))
    with pytest.raises(InputError, match=message) as caught:
        read_theirs(path, NER, NER_GOLD)
    assert str(path) in str(caught.value) and "\n" not in str(caught.value)


def test_the_gold_of_another_split_or_language(tmp_path, sentences):
    path = write(tmp_path / "t.conll", conll(sentences))
    for other in ("de/dev.tsv", "fr/test.tsv"):
        with pytest.raises(InputError, match=r"t.conll:1: token 'Auf', .* has "):
            read_theirs(path, NER, POCKET / "ner" / other)


def test_line_ends_and_a_byte_order_mark_change_nothing_latin1_is_refused(tmp_path, sentences):
    plain = read_theirs(write(tmp_path / "t.conll", conll(sentences)), NER, NER_GOLD)
    for path in (write(tmp_path / "t.conll", conll(sentences), end="\r\n"),
                 write(tmp_path / "t.conll", conll(sentences), "utf-8-sig")):  # fmt: skip
        assert read_theirs(path, NER, NER_GOLD) == plain
    ascii_only = [line.encode("latin-1", "replace").decode("latin-1") for line in conll(sentences)]
    with pytest.raises(InputError, match=r"t.conll:\d+: is not valid UTF-8"):
        read_theirs(write(tmp_path / "t.conll", ascii_only, "latin-1"), NER, NER_GOLD)


# ---- labels


def answers(pairs):
    rng = random.Random(0)
    labels = ("entailment", "neutral", "contradiction")
    return [rng.choice(labels) if rng.random() < 0.3 else pair.label for pair in pairs]


def test_labels_a_line(tmp_path, pairs):
    path = write(tmp_path / "xlmr.txt", [*answers(pairs), ""])
    found = read_theirs(path, NLI, NLI_GOLD)
    assert found.predicted == answers(pairs) and found.run.settings["checked"] == "number of items"
    spelled = [{"contradiction": "CONTRADICTORY"}.get(label, label.title()) for label in answers(pairs)]
    assert read_theirs(write(tmp_path / "xlmr.txt", spelled), NLI, NLI_GOLD).predicted == answers(pairs)


def table(pairs, names=("id", "premise", "hypothesis", "label", "predicted")):
    values = [{"id": str(i), "premise": p.premise, "hypothesis": p.hypothesis, "label": p.label, "predicted": a}
              for i, (p, a) in enumerate(zip(pairs, answers(pairs), strict=True))]  # fmt: skip
    return ["\t".join(names), *("\t".join(one[name] for name in names) for one in values)]


def test_a_table_with_texts_and_gold_is_checked_against_both(tmp_path, pairs):
    found = read_theirs(write(tmp_path / "t.tsv", table(pairs)), NLI, NLI_GOLD)
    assert found.predicted == answers(pairs)
    assert found.run.settings["checked"] == "number of items, premise, hypothesis, gold"
    other = [pairs[1], pairs[0], *pairs[2:]]
    with pytest.raises(InputError, match=r"t.tsv:2: (premise|hypothesis) .*in another order"):
        read_theirs(write(tmp_path / "t.tsv", table(other)), NLI, NLI_GOLD)
    edited = table(pairs)
    edited[1] = edited[1].replace("contradiction", "neutral", 1)
    with pytest.raises(InputError, match="t.tsv:2: gold 'neutral', .* has 'contradiction'"):
        read_theirs(write(tmp_path / "t.tsv", edited), NLI, NLI_GOLD)


def test_own_text_output_is_read(tmp_path, pairs):
    (tmp_path / "p.tsv").write_text(file_text(pairs), encoding="utf-8")
    found = read_theirs(tmp_path / "p.tsv", NLI, NLI_GOLD)
    assert found.predicted == found.gold and "premise" in found.run.settings["checked"]


LABEL_MISTAKES = {
    "truncated": (lambda p: answers(p)[:-2], "holds 88 predictions for 90 gold items"),
    "numbers": (lambda p: ["0"] * len(p), ":1: the label '0' is not one of .*id2label"),
    "a blank line": (lambda p: ["neutral", "", *answers(p)[2:]], ":2: the label '' is not one of"),
    "unknown": (lambda p: ["neutral", "maybe", *answers(p)[2:]], ":2: the label 'maybe' is not one of"),
    "empty": (lambda p: [""], "is empty"),
    "no column of predictions": (lambda p: ["premise\tx", "a\tb"], "no column is named predicted"),
    "which column": (lambda p: ["label\toutput", "neutral\tneutral"], "is 'label' gold or predicted, and what is 'out"),
    "ragged": (lambda p: ["predicted\tgold", "neutral"], ":2: has 1 columns, the header has 2"),
}


@pytest.mark.parametrize("name", LABEL_MISTAKES)
def test_mistakes_in_labels(tmp_path, pairs, name):
    change, message = LABEL_MISTAKES[name]
    with pytest.raises(InputError, match=message):
        read_theirs(write(tmp_path / "t.txt", change(pairs)), NLI, NLI_GOLD)


def test_topics(tmp_path):
    gold = write(tmp_path / "gold.tsv", ["index_id\tcategory\ttext", "1\tsports\tA goal.", "2\tpolitics\tA vote."])
    path = write(tmp_path / "t.tsv", ["text\tprediction", "A goal.\tsports", "A vote.\ttravel"])
    found = read_theirs(path, Said("topic", lang="en"), gold)
    assert found.predicted == ["sports", "travel"]
    assert label_remarks(found)[0] == "predicts labels that the gold has not: travel (1)"
    with pytest.raises(InputError, match=r"no predicted label \(1 \(2\)\) occurs in the gold"):
        read_theirs(write(tmp_path / "t.txt", ["1", "1"]), Said("topic"), gold)


# ---- JSON lines


def bare(items, predicted, **more):
    return [json.dumps({"predicted": one} | {key: of(item) for key, of in more.items()}, ensure_ascii=False)
            for item, one in zip(items, predicted, strict=True)]  # fmt: skip


def test_json_lines_without_a_header(tmp_path, sentences, pairs):
    path = write(tmp_path / "t.jsonl", bare(pairs, answers(pairs)))
    assert read_theirs(path, NLI, NLI_GOLD).predicted == answers(pairs)
    tags = [noisy(s.tags, i) for i, s in enumerate(sentences)]
    path = write(tmp_path / "t.jsonl", bare(sentences, tags, words=lambda s: s.words, gold=lambda s: s.tags))
    found = read_theirs(path, NER, NER_GOLD)
    assert found.predicted == tags and found.run.settings["checked"] == "number of items, words, gold"
    path = write(tmp_path / "t.jsonl", bare(sentences[:2], [["S-PER"] * len(s.words) for s in sentences[:2]]))
    gold = tmp_path / "two.tsv"
    gold.write_text(file_text(sentences[:2]).replace("LOC", "PER"), encoding="utf-8")
    assert set(read_theirs(path, NER, gold, "bioes").predicted[0]) == {"B-PER"}
    with pytest.raises(InputError, match="t.jsonl:1: 'S-PER', word 1: a tag is O, B-X or I-X .*--scheme"):
        read_theirs(path, NER, gold)


JSON_MISTAKES = {
    "words of another sentence": (
        lambda s: bare(s, [s.tags for s in s], words=lambda _: s[1].words), ":1: words 'S?.*', .*in another order"),
    "too few tags": (lambda s: bare(s, [s.tags[1:] for s in s]), r":1: \d+ tags, sentence 1 of .* has \d+ words"),
    "ids in another order": (lambda s: ['{"id": 1, "predicted": ["O"]}'], ":1: id 1, here 0 is due"),
    "unknown field": (lambda s: ['{"predicted": ["O"], "pred": 1}'], "unknown field 'pred'"),
    "a line without predictions": (lambda s: [bare(s, [s.tags for s in s])[0], "{}"], ":2: lacks 'predicted'"),
    "truncated": (lambda s: bare(s[:5], [s.tags for s in s[:5]]), "holds 5 predictions for"),
    "cut in a line": (lambda s: [bare(s, [s.tags for s in s])[0], '{"predic'], ":2: is not a line"),
    "a field of pairs": (lambda s: ['{"predicted": ["O"], "premise": "a"}'], "has 'premise', an item of .* has none"),
}  # fmt: skip


@pytest.mark.parametrize("name", JSON_MISTAKES)
def test_mistakes_in_json_lines(tmp_path, sentences, name):
    change, message = JSON_MISTAKES[name]
    with pytest.raises(InputError, match=message):
        read_theirs(write(tmp_path / "t.jsonl", change(sentences)), NER, NER_GOLD)


def test_what_a_file_without_header_needs(tmp_path, pairs):
    path = write(tmp_path / "t.jsonl", bare(pairs, answers(pairs)))
    with pytest.raises(InputError, match=r"has no header that says what it is: give its kind"):
        read_theirs(path, Said(), NLI_GOLD)
    with pytest.raises(InputError, match="without gold: give the test file as --gold"):
        read_theirs(path, NLI)
    with pytest.raises(InputError, match="unknown kind of task 'parsing'"):
        read_theirs(path, Said("parsing"), NLI_GOLD)
    (tmp_path / "bare.tsv").write_text("premise\thypothesis\na\tb\n", encoding="utf-8")
    with pytest.raises(InputError, match="no gold labels in this file"):
        read_theirs(path, NLI, tmp_path / "bare.tsv")


# ---- prediction files


@pytest.fixture
def own(tmp_path, pairs):
    run = RunSettings("pocket-nli", "nli", "mine", "de")
    write_predictions(tmp_path / "p.jsonl", make_predictions(run, pairs, answers(pairs)))
    return tmp_path / "p.jsonl"


def test_a_prediction_file_and_its_gold(own):
    assert read_theirs(own, Said()) == read_theirs(own, NLI, NLI_GOLD) == read_predictions(own)


def gold_with(tmp_path, change):
    path = tmp_path / "gold.tsv"
    path.write_text(change(NLI_GOLD.read_text(encoding="utf-8")), encoding="utf-8")
    return path


def test_other_gold_than_the_predictions_were_made_for(own, tmp_path):
    with pytest.raises(InputError, match=r"p.jsonl against .*dev.tsv: 90 predictions for 36 gold items"):
        read_theirs(own, Said(), POCKET / "nli" / "de" / "dev.tsv")
    edited = gold_with(tmp_path, lambda text: text.replace("entailment", "neutral", 1))
    with pytest.raises(InputError, match=r"p.jsonl:3: the gold of item 1 is entailment, .* has neutral: .* split"):
        read_theirs(own, Said(), edited)
    reworded = gold_with(tmp_path, lambda text: text.replace("Äpfeln", "Birnen", 1))
    with pytest.raises(InputError, match="gold_sha256 is not that of .*gold.tsv.*its texts are others"):
        read_theirs(own, Said(), reworded)


def test_gold_edited_in_a_prediction_file(own):
    own.write_text(own.read_text().replace('"gold": "entailment"', '"gold": "neutral"', 1))
    with pytest.raises(InputError, match="the gold of item 1 is neutral, .* has entailment"):
        read_theirs(own, Said(), NLI_GOLD)


def test_what_is_said_must_be_what_the_header_says(own):
    for said, message in ((Said("ner"), "kind 'nli', not 'ner'"),
                          (Said(lang="fr"), "lang 'de', not 'fr'"),
                          (Said(system="x"), "system 'mine', not 'x'"),
                          (Said(seed=2), "seed None, not 2")):  # fmt: skip
        with pytest.raises(InputError, match=f"p.jsonl:1: the header says {message}"):
            read_theirs(own, said)
    with pytest.raises(InputError, match="its tags are IOB2"):
        read_theirs(own, Said(), None, "bioes")


# ---- names of labels


@pytest.mark.parametrize(
    "names",
    [
        {"entailment": "contradiction", "contradiction": "entailment"},
        {"entailment": "neutral", "neutral": "contradiction", "contradiction": "entailment"},
    ],
)
def test_swapped_label_names_are_remarked(tmp_path, pairs, names):
    path = write(tmp_path / "t.txt", [names.get(label, label) for label in answers(pairs)])
    [remark] = label_remarks(read_theirs(path, NLI, NLI_GOLD))
    assert remark.startswith("label names look mixed up: ")
    assert all(f"{named} mostly stands for {meant}" in remark for meant, named in names.items())
    right = read_theirs(write(tmp_path / "t.txt", answers(pairs)), NLI, NLI_GOLD)
    assert label_remarks(right) == []


def test_swapped_entity_types_and_tags_are_remarked(tmp_path, sentences):
    swap = str.maketrans({"P": "L", "L": "P", "E": "O", "O": "E", "R": "C", "C": "R"})  # PER <-> LOC
    lines = [f"{word} {tag[:2] + tag[2:].translate(swap) if tag[2:] in ('PER', 'LOC') else tag}"
             for s in sentences for word, tag in [*zip(s.words, s.tags, strict=True), ("", "")]]  # fmt: skip
    path = write(tmp_path / "t.conll", [line.strip() for line in lines])
    [remark] = label_remarks(read_theirs(path, NER, NER_GOLD))
    assert "LOC mostly stands for PER, PER mostly stands for LOC" in remark
    gold = write(tmp_path / "gold.tsv", ["a\tDET", "dog\tNOUN", "runs\tVERB"])
    path = write(tmp_path / "t.conll", ["a DET", "dog VERB", "runs NOUN"])
    assert "NOUN mostly stands for VERB" in label_remarks(read_theirs(path, Said("pos", lang="en"), gold))[0]
