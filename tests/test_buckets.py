
import numpy as np
import pytest

from baselines.corpora import LabelledText, SentencePair, TaggedSentence
from comparisons.buckets import (
    ENTITY_FREQUENCY,
    SENTENCE_LENGTH,
    entity_buckets,
    overlap,
    pair_buckets,
    sentence_facts,
    text_buckets,
    word_buckets,
    words_of,
)
from comparisons.negation import NEGATION_WORDS, has_negation
from comparisons.span_modes import span_arrays

TYPES = ["LOC", "PER"]


def sentence(*pairs):
    words, tags = zip(*(pair.split("/") for pair in pairs), strict=True)
    return TaggedSentence(words, tags)


TRAIN = [
    sentence("Anna/B-PER", "Berg/I-PER", "sings/O"),
    *[sentence("in/O", "Rome/B-LOC")] * 2,
    *[sentence("OSLO/B-LOC", "!/O")] * 10,
    sentence("lima/O"),
]
TEST = [
    sentence("anna/B-PER", "berg/I-PER", "goes/O", "to/O", "ROME/B-LOC", "./O"),
    sentence("Oslo/B-LOC", "and/O", "Lima/B-LOC"),
    sentence("./O"),
]


def by_name(found):
    return {one.name: [one.labels[i] for i in one.numbers] for one in found}


def test_entities_by_length_and_by_what_training_held():
    facts = sentence_facts(TEST, TRAIN)
    found = by_name(entity_buckets(facts, span_arrays([item.tags for item in TEST], TYPES)))
    assert found == {
        "entity length": ["2 words", "1 word", "1 word", "1 word"],
        "entity seen": ["seen", "seen", "seen", "unseen"],  # lima is a word of training, but no entity of it
        "entity frequency": ["1", "2–9", "10 or more", "0"],
        "sentence length": ["6–10", "6–10", "up to 5 words", "up to 5 words"],
        "OOV rate": ["25–50 %", "25–50 %", "25–50 %", "25–50 %"],  # goes, to of 5 words; and of 3
    }


def test_predicted_spans_have_buckets_of_their_own():
    facts = sentence_facts(TEST, TRAIN)
    predicted = [["O"] * 5 + ["B-LOC"], ["B-PER", "I-PER", "I-PER"], ["O"]]
    found = by_name(entity_buckets(facts, span_arrays(predicted, TYPES)))
    assert found["entity length"] == ["1 word", "3 words"] and found["entity seen"] == ["unseen", "unseen"]


def test_words_for_parts_of_speech():
    train = [sentence("The/DET", "dog/NOUN"), sentence("the/DET")]
    test = [sentence("THE/DET", "dog/NOUN", "barks/VERB"), sentence("?/PUNCT")]
    facts = sentence_facts(test, train)
    assert by_name(word_buckets(facts)) == {
        "word frequency": ["2–9", "1", "0", "0"],
        "sentence length": ["up to 5 words"] * 4,
        "OOV rate": ["25–50 %"] * 3 + ["0–25 %"],  # a mark of punctuation is no unknown word
    }
    assert not facts.entity_counts


@pytest.mark.parametrize(("value", "label"), [(0, "0"), (1, "1"), (2, "2–9"), (9, "2–9"), (10, "10 or more")])
def test_the_upper_end_belongs_to_its_band(value, label):
    assert by_name([ENTITY_FREQUENCY.of([value])]) == {"entity frequency": [label]}


def test_bands_have_a_label_each_and_take_none():
    assert SENTENCE_LENGTH.of(np.array([5, 6, 10, 11, 20, 21])).numbers.tolist() == [0, 1, 1, 2, 2, 3]
    assert SENTENCE_LENGTH.of([]).numbers.tolist() == []


def test_pairs_by_length_overlap_and_negation():
    pairs = [
        SentencePair("The dog isn’t here.", "The DOG is not at all here, no!", "contradiction"),
        SentencePair("A man sleeps", "A man sleeps.", "entailment"),
        SentencePair("A man", "He doesn't", "neutral"),
        SentencePair("!", "?!", "neutral"),
    ]
    assert by_name(pair_buckets(pairs, "en")) == {
        "hypothesis length": ["6–10", "up to 5 words", "up to 5 words", "up to 5 words"],
        "lexical overlap": ["25–50 %", "75–100 %", "0–25 %", "0–25 %"],  # the, dog, here of 8
        "negation": ["negation word", "none", "negation word", "none"],
    }
    assert "negation" not in by_name(pair_buckets(pairs, "qu")), "no list of words, no figures"


def test_genre_where_every_pair_has_one():
    pairs = [SentencePair("a", "b", "neutral", genre=genre) for genre in ("travel", "fiction", "travel")]
    assert by_name(pair_buckets(pairs, "en"))["genre"] == ["travel", "fiction", "travel"]
    assert "genre" not in by_name(pair_buckets([*pairs, SentencePair("a", "b", "neutral")], "en"))


@pytest.mark.parametrize(
    ("lang", "negated", "plain"),
    [("de", "Er hat KEIN Wort gesagt.", "Er hat viel gesagt."), ("es", "Él no dijo nada", "Él lo dijo"),
     ("fr", "Il n’a pas dit un mot", "Il l’a dit"), ("sw", "Hakuna mtu", "Kuna mtu"), ("ar", "لم ينطق", "نطق"),
     ("hi", "उसने एक शब्द नहीं कहा।", "उसने कहा"), ("tr", "Bu doğru değil", "Bu doğru"),
     ("zh", "他没说一句话。", "他非常特别。"), ("th", "เขาไม่รู้", "เขารู้"), ("ru", "Он не знал", "Он знал"),
     ("vi", "Tôi không biết", "Tôi biết")],
)  # fmt: skip
def test_negation_words(lang, negated, plain):
    assert has_negation(negated, words_of(negated, lang), lang)
    assert not has_negation(plain, words_of(plain, lang), lang)


def test_listed_words_are_words_that_the_tokenizer_makes():
    for lang, words in NEGATION_WORDS.items():
        for word in words:
            if lang not in ("zh", "th"):
                assert words_of(f"{word} .", lang) == [word], (lang, word)


def test_words_are_characters_where_they_are_not_spaced():
    assert words_of("他没说，OK！", "zh") == ["他", "没", "说", "o", "k"]
    assert overlap(words_of("他说了", "zh"), words_of("他没", "zh")) == 0.5
    assert words_of("L’École, c’est", "fr") == ["l'", "école", "c'", "est"]


def test_texts_by_length():
    texts = [LabelledText("word " * n, "a") for n in (1, 10, 11, 31)]
    assert by_name(text_buckets(texts, "en")) == {
        "text length": ["up to 10 words", "up to 10 words", "11–20", "31 or more"]
    }
