"""Inputs of encoders against what their tokenizers and models make by themselves."""

import json

import numpy as np
import pytest
import torch
from tiny_encoders import ARCHITECTURES, POSITIONS, save_tiny
from transformers import AutoModel, AutoTokenizer

from baselines.corpora import LabelledText, SentencePair, TaggedSentence
from comparisons.encoder_languages import EncoderLanguages
from comparisons.encoders import find_encoder
from comparisons.inputs import Inputs, by_length
from comparisons.loading import check_casing, load_tokenizer, lower_cases
from xlembed.errors import InputError

PAIRS = [
    SentencePair("a b c", "d e", lang="de"),
    SentencePair("one two three four five six", "x", lang="de"),
    SentencePair("x", "many words are here and there and so on", lang="de"),
    SentencePair("long text of words " * 9, "long text " * 9, lang="de"),
    SentencePair("ab " * 20, "cd " * 20, lang="de"),
    SentencePair("ab " * 21, "cd " * 20, lang="de"),
]


def inputs_of(folder, max_length=POSITIONS):
    model = AutoModel.from_pretrained(folder).eval()
    return Inputs(AutoTokenizer.from_pretrained(folder), model.config, max_length), model


@pytest.fixture(scope="module", params=[*ARCHITECTURES, "xlm-15"])
def tiny(request, tmp_path_factory):
    return save_tiny(request.param, tmp_path_factory.mktemp(request.param))


def test_pairs_and_texts_are_what_the_tokenizer_makes(tiny):
    inputs, _ = inputs_of(tiny)
    for pair, example in zip(PAIRS, inputs.texts(PAIRS), strict=True):
        expected = inputs.tokenizer(pair.premise, pair.hypothesis, truncation="longest_first",
                                    max_length=inputs.max_length)  # fmt: skip
        if not inputs.tokenizer.is_fast and len(example) == inputs.max_length:
            continue  # slow ones give the odd place to the other text
        assert example.ids.tolist() == expected["input_ids"]
        if "token_type_ids" in expected:
            assert example.types.tolist() == expected["token_type_ids"]
    texts = [LabelledText(pair.premise, lang="de") for pair in PAIRS]
    for text, example in zip(texts, inputs.texts(texts), strict=True):
        expected = inputs.tokenizer(text.text, truncation=True, max_length=inputs.max_length)
        assert example.ids.tolist() == expected["input_ids"]


def test_a_padded_batch_gives_what_single_sentences_give(tiny):
    inputs, model = inputs_of(tiny)
    examples = inputs.texts(PAIRS)
    with torch.inference_mode():
        together = model(**inputs.batch(examples)).last_hidden_state
        for row, example in zip(together, examples, strict=True):
            alone = model(**inputs.batch([example])).last_hidden_state[0]
            assert torch.allclose(row[: len(example)], alone, atol=1e-4)


def test_batches_by_length_hold_every_example_once(tiny):
    examples = inputs_of(tiny)[0].texts(PAIRS * 5)
    batches = list(by_length(examples, 60))
    assert sorted(i for batch in batches for i in batch) == list(range(30))
    for batch in batches:
        assert len(batch) == 1 or len(batch) * max(len(examples[i]) for i in batch) <= 60


# ---- languages


def hidden(model, inputs, items):
    with torch.inference_mode():
        return model(**inputs.batch(inputs.texts(items))).last_hidden_state


@pytest.mark.parametrize("architecture", ["xlm-15", "xmod"])
def test_another_language_gives_another_output_and_ours_is_the_models_own(architecture, tmp_path):
    folder = save_tiny(architecture, tmp_path / "tiny")
    inputs, model = inputs_of(folder)
    found = {lang: hidden(model, inputs, [SentencePair("a b", "c d", lang=lang)]) for lang in ("de", "en", "sw")}
    assert not torch.allclose(found["de"], found["en"], atol=1e-3)
    assert not torch.allclose(found["sw"], found["en"], atol=1e-3)
    batch = inputs.tokenizer("a b", "c d", return_tensors="pt")
    with torch.inference_mode():
        for lang in found:
            if architecture == "xmod":
                model.set_default_language({"de": "de_DE", "en": "en_XX", "sw": "sw_KE"}[lang])
                expected = model(**batch).last_hidden_state
            else:
                langs = torch.full_like(batch["input_ids"], model.config.lang2id[lang])
                expected = model(**batch, langs=langs).last_hidden_state
            assert torch.allclose(found[lang], expected, atol=1e-5), lang
    assert torch.equal(hidden(model, inputs, [SentencePair("a b", "c d", lang="swa")]), found["sw"])  # ISO 639-3


@pytest.mark.parametrize("architecture", ["xlm-15", "xmod"])
def test_each_text_of_a_pair_is_in_its_own_language(architecture, tmp_path):
    inputs, _ = inputs_of(save_tiny(architecture, tmp_path / "tiny"))
    example = inputs.texts([SentencePair("a b", "c d", lang="de", hypothesis_lang="sw")])[0]
    de, sw = inputs.languages.id_of("de"), inputs.languages.id_of("sw")
    second = len(inputs.template.before) + len(inputs.words(["a b"])[0])
    second += len(inputs.template.between)
    assert example.langs.tolist() == [de] * second + [sw] * (len(example) - second)


def test_an_encoder_that_is_not_told_a_language_gets_none(tiny):
    inputs, _ = inputs_of(tiny)
    batch = inputs.batch(inputs.texts(PAIRS[:1]))
    assert (inputs.languages.key in batch) == (inputs.languages.key is not None)
    assert {"langs", "lang_ids"} & set(batch) == ({inputs.languages.key} - {None})
    if inputs.languages.key is None:
        assert inputs.languages.why_not("quy") is None and inputs.languages.known is None


@pytest.mark.parametrize(("architecture", "what"), [("xlm-15", "embedding"), ("xmod", "module")])
def test_languages_that_an_encoder_lacks_are_refused(architecture, what, tmp_path):
    inputs, _ = inputs_of(save_tiny(architecture, tmp_path / "tiny"))
    assert inputs.languages.why_not("fr") == f"no language {what}"
    with pytest.raises(InputError, match=f"has no language {what} for fr: it has de, en, sw"):
        inputs.windows([TaggedSentence(("a",), lang="fr")])
    with pytest.raises(InputError, match="has to be told the language: one of de, en, sw"):
        inputs.texts([SentencePair("a", "b")])


def test_an_xlm_whose_config_names_no_languages(tmp_path):
    folder = save_tiny("xlm-15", tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text())
    del config["lang2id"]
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="lang2id"):
        EncoderLanguages(AutoModel.from_pretrained(folder).config)


# ---- casing


def test_bert_keeps_its_casing_and_a_wrong_setting_is_refused(tmp_path):
    folder = save_tiny("bert", tmp_path / "tiny")
    inputs, model = inputs_of(folder)
    assert not lower_cases(inputs.tokenizer)
    names, plain = ([SentencePair(text, text)] for text in ("Rome", "rome"))
    assert not torch.allclose(hidden(model, inputs, names), hidden(model, inputs, plain), atol=1e-3)
    wrong = AutoTokenizer.from_pretrained(folder, do_lower_case=True)
    assert lower_cases(wrong)
    wrong_inputs = Inputs(wrong, model.config, POSITIONS)
    assert torch.equal(hidden(model, wrong_inputs, names), hidden(model, inputs, plain))  # capitals are lost
    with pytest.raises(InputError, match="set do_lower_case to false"):
        check_casing(wrong, folder)
    wrong.save_pretrained(folder)
    with pytest.raises(InputError, match="the tokenizer lower-cases, but"):
        load_tokenizer(find_encoder(str(folder)))


def test_windows_say_their_language_and_read_every_word_once(tiny):
    inputs, _ = inputs_of(tiny)
    sentences = [TaggedSentence(tuple("abc de f ghi".split()) * 12, lang=lang) for lang in ("de", "en")]
    windows, examples = inputs.windows(sentences)
    for i in range(2):
        assert sorted(word for window in windows if window.sentence == i for word in window.words) == list(range(48))
    if inputs.languages.key:
        for window, example in zip(windows, examples, strict=True):
            lang = sentences[window.sentence].lang
            assert np.all(example.langs == inputs.languages.id_of(lang))
