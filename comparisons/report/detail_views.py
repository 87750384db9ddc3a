"""The sections on buckets: which bucketings stand in them, and in plain words what there is to learn."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class View:
    """A section on one bucketing, or on two side by side: name of the bucketing -> its labels in the header."""

    heading: str
    headers: dict[str, str]
    metrics: tuple[str, ...]
    text: str


_BOTH = ("In each cell F1 / recall. Recall asks how many of the bucket's gold entities were found; F1 also counts what "
         "was found wrongly, for predicted entities fall into the same buckets.")  # fmt: skip
_OOV = ("OOV rate: how many of a sentence's words the training data does not hold, letter case aside. In another "
        "language it says how little of the sentence the two have in common in spelling: names, numbers, loan words, "
        "short words.")  # fmt: skip
VIEWS = {
    "ner": (
        View("by entity length", {"entity length": "{}"}, ("f1", "recall"),
             f"{_BOTH} Long entities need both ends right: a system that falls off here finds names and loses "
             "their boundaries."),
        View("by what was seen in training", {"entity seen": "{}", "entity frequency": "times seen: {}"},
             ("f1", "recall"),
             f"{_BOTH} *Seen*: the same words, letter case aside, are an entity in the training data; how often, on "
             "the right. Far better figures for seen entities mean that names were learnt by heart; those for unseen "
             "ones say what is left in a text with other names."),
        View("by sentence length", {"sentence length": "{}"}, ("f1",),
             "F1 over the entities in sentences of that length. Short sentences are often titles and lists (in "
             "WikiAnn many are), long ones running text."),
        View("by OOV rate", {"OOV rate": "{}"}, ("f1",), f"F1 over the entities in such sentences. {_OOV}"),
    ),
    "pos": (
        View("by word frequency", {"word frequency": "times in training: {}"}, ("accuracy",),
             "Accuracy by how often the training data holds the word, letter case aside. A system that only knows "
             "words falls off on the left; one that reads the context or the ending falls off less."),
        View("by sentence length", {"sentence length": "{}"}, ("accuracy",),
             "Accuracy over the words in sentences of that length."),
        View("by OOV rate", {"OOV rate": "{}"}, ("accuracy",), f"Accuracy over the words in such sentences. {_OOV}"),
    ),
    "nli": (
        View("by hypothesis length", {"hypothesis length": "{}"}, ("accuracy",),
             "Accuracy by the number of words in the hypothesis (characters in Chinese, Japanese and Thai)."),
        View("by lexical overlap", {"lexical overlap": "{}"}, ("accuracy",),
             "Accuracy by the share of the hypothesis's words that stand in the premise as well. The more of them, the "
             "more often a pair is entailment: a system that goes by overlap gains on the right, and calls pairs "
             "entailment that are none (see the confusions)."),
        View("by negation", {"negation": "{}"}, ("accuracy",),
             "Accuracy by whether the hypothesis holds a word of a short list (not, no, never and their like in each "
             "language). It is a list of words: negation inside a word is found only where the word is listed. In "
             "XNLI about six in ten of such pairs are contradictions, so a system that leans on the word does well "
             "on the right and no better on the left."),
        View("by genre", {"genre": "{}"}, ("accuracy",),
             "Accuracy by where the premise comes from. Genres unlike the training data are where a system meets "
             "words and turns of phrase that it has not been trained on."),
    ),
    "topic": (
        View("by text length", {"text length": "{}"}, ("accuracy",),
             "Accuracy by the number of words (characters in Chinese, Japanese and Thai): a longer text gives more to "
             "go by."),
    ),
}  # fmt: skip
