from baselines.corpora import SentencePair, TaggedSentence
from baselines.majority import majority, majority_label, majority_tags, majority_type

PAIRS = [SentencePair("a", "b", label) for label in ("entailment", "contradiction", "neutral")]


def test_majority_floors():
    train = [TaggedSentence(("Rome", "x"), ("B-LOC", "O")), TaggedSentence(("Oslo", "Anna"), ("B-LOC", "B-PER"))]
    assert majority_type(train) == "LOC"
    test = [TaggedSentence(("Anna", "Maria", "sings", "In"))]
    assert majority_tags(train, test) == [["B-LOC", "I-LOC", "O", "B-LOC"]]
    assert majority_label([*PAIRS, PAIRS[0]], 2) == ["entailment", "entailment"]
    assert majority_label(PAIRS, 1) == ["contradiction"]  # a tie goes to the first by alphabet


def test_majority_by_kind():
    tagged = [TaggedSentence(("a", "b", "c"), ("DET", "NOUN", "NOUN"))]
    assert majority("pos", tagged, [TaggedSentence(("x", "y"))]) == [["NOUN", "NOUN"]]
    assert majority("nli", [*PAIRS, PAIRS[0]], PAIRS) == ["entailment"] * 3
