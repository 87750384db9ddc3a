import numpy as np
import pytest

from baselines.corpora import TaggedSentence
from baselines.metrics import Span, spans
from baselines.translation.projection import (
    WordAligner,
    bring_back,
    join_words,
    mark,
    ordered_spans,
    project_spans,
    tags_of_spans,
    translate_tagged,
    unmark,
)
from baselines.translation.words import WordTranslator
from xlembed.errors import InputError
from xlembed.tokenize import tokenize
from xlembed.vectors import WordVectors

ENGLISH = ["yesterday", "the", "black", "cat", "saw", "rome"]
SPANISH = ["ayer", "el", "negro", "gato", "vio", "roma"]
SENTENCE = TaggedSentence(("The", "black", "cat", "saw", "Rome", "."), ("O", "B-PER", "I-PER", "O", "B-LOC", "O"))


def aligner():
    matrix = np.eye(6, dtype=np.float32)
    return WordAligner(WordVectors(ENGLISH, matrix), WordVectors(SPANISH, matrix))


class Ready:
    """Translates by a table."""

    src, trg = "en", "es"

    def __init__(self, table):
        self.table = table

    def identity(self):
        return {}

    def translate(self, texts):
        return [self.table[text] for text in texts]


class Same(Ready):
    """Gives texts back as they are."""

    def __init__(self):
        pass

    def translate(self, texts):
        return list(texts)


def test_marks():
    assert mark(SENTENCE) == "The [1] black cat [/1] saw [2] Rome [/2] ."
    assert mark(TaggedSentence(("a", "[b]", ",", "c"), ("O",) * 4)) == "a (b), c"
    adjacent = TaggedSentence(("Rome", "Paris"), ("B-LOC", "B-LOC"))
    assert mark(adjacent) == "[1] Rome [/1] [2] Paris [/2]"


def test_marks_come_back_in_another_order():
    text = "[2]Roma[/2] vio [ 1 ] el gato negro [ / 1 ]."
    found = unmark(text, ["PER", "LOC"], "es")
    assert found.words == ("Roma", "vio", "el", "gato", "negro", ".")
    assert found.tags == ("B-LOC", "O", "B-PER", "I-PER", "I-PER", "O")


@pytest.mark.parametrize(
    "text",
    ["gato [1] negro", "gato [/1] negro", "[1] [/1] gato", "[1] gato [/2]", "[1] gato [/1] y [1] gato [/1]", "gato",
     "[1] gato [2] negro [/1] y [/2]", "[2] gato [/2]", ""],
)  # fmt: skip
def test_marks_that_are_not_whole(text):
    assert unmark(text, ["PER"]) is None


def test_projection_by_markers_counts_what_is_lost():
    plain = TaggedSentence(("the", "cat"), ("O", "O"))
    table = {mark(SENTENCE): "El [1] gato negro [/1] vio Roma.", mark(plain): "el gato"}
    found = translate_tagged([SENTENCE, plain], Ready(table))
    assert (found.n_lost, found.n_entities, found.n_entities_lost, found.rows) == (1, 2, 1, [1])
    assert found.sentences == [TaggedSentence(("el", "gato"), ("O", "O"))]
    assert found.describe() == "1 of 2 sentences kept, 1 lost; 1 of 2 entities not found again"


def test_a_translator_that_changes_nothing_keeps_every_span():
    rng = np.random.default_rng(0)
    for _ in range(200):
        words = tuple(rng.choice(["cat", "Rome", ",", "(", ")", "x-y", "3.5"], size=rng.integers(1, 9)))
        ends = np.sort(rng.choice(len(words) + 1, size=min(4, 2 * ((len(words) + 1) // 2)), replace=False))
        sentence = TaggedSentence(words, tags_of_spans(
            [Span("LOC", int(a), int(b)) for a, b in zip(ends[::2], ends[1::2], strict=True)], len(words)))  # fmt: skip
        found = translate_tagged([sentence], Same())
        assert found.n_lost == 0
        entities = [" ".join(found.sentences[0].words[s.start : s.end]) for s in ordered_spans(found.sentences[0].tags)]
        wanted = [" ".join(tokenize(" ".join(words[s.start : s.end]))) for s in ordered_spans(sentence.tags)]
        assert entities == wanted


def test_alignment_of_words():
    src, trg = ["Yesterday", "the", "black", "cat", "saw", "IKEA"], ["ayer", "el", "gato", "negro", "vio", "Ikea", "x"]
    assert aligner().align(src, trg).tolist() == [[0, 0], [1, 1], [2, 3], [3, 2], [4, 4], [5, 5]]
    assert aligner().align(["xyz"], ["abc"]).shape == (0, 2)
    assert aligner().align([], ["abc"]).shape == aligner().align(["a"], []).shape == (0, 2)


def test_the_nearer_of_two_equal_words_is_aligned():
    words = ["cat", "saw", "cat"]
    assert aligner().align(words, ["gato", "vio", "gato"]).tolist() == [[0, 0], [1, 1], [2, 2]]


def test_aligner_in_two_spaces():
    with pytest.raises(InputError, match="dims 2 and 3: map them"):
        WordAligner(WordVectors(["a"], np.ones((1, 2))), WordVectors(["b"], np.ones((1, 3))))


def test_projection_by_alignment():
    lost = TaggedSentence(("Oslo", "saw", "Rome"), ("B-LOC", "O", "B-LOC"))
    table = {"The black cat saw Rome.": "El gato negro vio Roma.", "Oslo saw Rome": "Christiania vio Roma"}
    found = translate_tagged([SENTENCE, lost], Ready(table), "align", aligner())
    assert found.sentences == [
        TaggedSentence(("El", "gato", "negro", "vio", "Roma", "."), ("O", "B-PER", "I-PER", "O", "B-LOC", "O"))]
    assert (found.n_lost, found.n_entities_lost) == (1, 1)


def test_spans_through_an_alignment():
    alignment = np.array([[0, 1], [1, 3], [2, 2], [3, 4]])
    assert project_spans([Span("A", 0, 2)], alignment) == [Span("A", 1, 4)]
    assert project_spans([Span("A", 0, 2), Span("B", 2, 3)], alignment) == [Span("A", 1, 4)], "no overlap"
    assert project_spans([Span("A", 5, 6)], alignment) == []
    assert project_spans([Span("A", 0, 2)], np.array([[0, 0], [1, 40]])) == [], "a stray alignment"
    assert project_spans([Span("A", 0, 1)], np.empty((0, 2), dtype=int)) == []


def test_bringing_tags_back_is_always_iob2_of_the_original_length():
    rng = np.random.default_rng(1)
    for _ in range(300):
        n_words, n_trg = (int(n) for n in rng.integers(0, 8, size=2))
        tags = rng.choice(["O", "B-PER", "I-PER", "B-LOC", "I-LOC"], size=n_trg).tolist()
        pairs = {(int(a), int(b)) for a, b in rng.integers(0, 8, size=(5, 2)) if a < n_words and b < n_trg}
        back = bring_back(tags, np.array(sorted(pairs), dtype=int).reshape(-1, 2), n_words)
        assert len(back) == n_words
        for before, tag in zip(["O", *back], back, strict=False):
            assert not tag.startswith("I-") or before[2:] == tag[2:]
        assert len(spans(back)) <= len(spans(tags))


def test_bringing_tags_back_over_the_identity_changes_nothing():
    tags = ["B-PER", "I-PER", "O", "B-LOC", "B-LOC"]
    assert bring_back(tags, np.column_stack([np.arange(5)] * 2), 5) == tags


def test_word_by_word_keeps_every_tag():
    matrix = np.eye(6, dtype=np.float32)
    words = WordTranslator("en", "es", WordVectors(ENGLISH, matrix), WordVectors(SPANISH, matrix))
    found = translate_tagged([SENTENCE], words)
    assert found.sentences == [TaggedSentence(("El", "negro", "gato", "vio", "Roma", "."), SENTENCE.tags)]
    assert found.n_lost == 0


def test_what_cannot_be_projected():
    with pytest.raises(InputError, match="no gold labels"):
        translate_tagged([TaggedSentence(("a",))], Same())
    with pytest.raises(InputError, match="unknown projection 'guess': choose markers, align"):
        translate_tagged([SENTENCE], Same(), "guess")
    with pytest.raises(InputError, match="needs vectors of both languages"):
        translate_tagged([SENTENCE], Same(), "align")
    assert translate_tagged([], Same()).sentences == []


def test_joining_words():
    assert join_words(["Well", ",", "(", "the", "cat", ")", "'s", "paw", "!"]) == "Well, (the cat)'s paw!"
    assert join_words([]) == ""
