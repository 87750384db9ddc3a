import numpy as np
import pytest
import torch
from tiny_encoders import ARCHITECTURES, POSITIONS, save_tiny

import comparisons.finetune as finetune_module
from baselines.corpora import LabelledText, SentencePair, TaggedSentence
from comparisons.encoders import find_encoder
from comparisons.finetune import FinetuneSettings, bucketed, finetune, load_finetuned
from xlembed.errors import InputError

SENTENCES = [
    TaggedSentence(("Anna", "sings", "in", "Rome"), ("B-PER", "O", "O", "B-LOC")),
    TaggedSentence(("in", "Oslo"), ("O", "B-LOC")),
    TaggedSentence(("sings", "Bob"), ("O", "B-PER")),
] * 8
PAIRS = [SentencePair("a b c", "a b", "entailment"), SentencePair("a b c", "x y", "contradiction")] * 12
QUICK = FinetuneSettings(epochs=1, lr=1e-3, batch_size=8, frozen="none", precision="float32")


@pytest.fixture(scope="module", params=ARCHITECTURES)
def encoder(request, tmp_path_factory):
    return find_encoder(str(save_tiny(request.param, tmp_path_factory.mktemp(request.param))))


@pytest.fixture(scope="module")
def bert(tmp_path_factory):
    return find_encoder(str(save_tiny("bert", tmp_path_factory.mktemp("bert"))))


def test_every_architecture_tags_every_word_however_long_the_sentence(encoder):
    tuned = finetune(encoder, "ner", SENTENCES, SENTENCES[:3], QUICK)
    long = TaggedSentence(tuple(f"word{i}" for i in range(3 * POSITIONS)))
    odd = TaggedSentence(("\u00a0", "x" * 5 * POSITIONS, "日本", "end"))
    predicted = tuned.predict([*SENTENCES[:3], long, odd])
    assert [len(tags) for tags in predicted] == [4, 2, 2, 3 * POSITIONS, 4]
    assert {tag for tags in predicted for tag in tags} <= {"O", "B-PER", "B-LOC"}


def test_every_architecture_classifies_pairs_however_long(encoder):
    tuned = finetune(encoder, "nli", PAIRS, PAIRS[:4], QUICK)
    predicted = tuned.predict([*PAIRS[:4], SentencePair("very long " * 100, "text " * 100)])
    assert len(predicted) == 5
    assert set(predicted) <= {"entailment", "neutral", "contradiction"}


def test_every_architecture_classifies_texts_by_any_labels(encoder):
    texts = [LabelledText("a b c", "sports"), LabelledText("x y", "travel")] * 8
    tuned = finetune(encoder, "topic", texts, texts[:2], QUICK)
    predicted = tuned.predict([LabelledText("a b"), LabelledText("very long " * 100)])
    assert tuned.labels == ["sports", "travel"] and set(predicted) <= {"sports", "travel"} and len(predicted) == 2
    assert tuned.predict([]) == []


def test_parts_of_speech_are_tags_as_well(bert, tmp_path):
    tagged = [TaggedSentence(("the", "cat"), ("DET", "NOUN")), TaggedSentence(("sleeps",), ("VERB",))] * 8
    tuned = finetune(bert, "pos", tagged, tagged[:2], QUICK)
    assert tuned.labels == ["DET", "NOUN", "VERB"]
    tuned.save(tmp_path / "m")
    assert load_finetuned(tmp_path / "m").predict(tagged[:2]) == tuned.predict(tagged[:2])


def test_a_small_encoder_can_learn_the_training_sentences(bert):
    settings = FinetuneSettings(epochs=12, lr=5e-3, batch_size=8, frozen="none", precision="float32")
    tuned = finetune(bert, "ner", SENTENCES, SENTENCES[:3], settings)
    assert tuned.predict(SENTENCES[:3]) == [list(s.tags) for s in SENTENCES[:3]]
    assert tuned.curve[-1]["dev_f1"] == 100
    assert tuned.curve[-1]["loss"] < tuned.curve[0]["loss"]


def test_every_word_gets_the_tag_read_at_its_own_first_subword(encoder, monkeypatch):
    """The encoder is replaced by a rule on input ids, so the right tag of every word is known."""
    tuned = finetune(encoder, "ner", SENTENCES, SENTENCES[:3], QUICK)
    n_labels = len(tuned.labels)
    monkeypatch.setattr(
        finetune_module,
        "_logits",
        lambda tuned, batch: torch.nn.functional.one_hot(batch["input_ids"] % n_labels, n_labels).float(),
    )
    words = tuple(f"{'abcdefghij'[i % 10]}{'klm'[i % 3] * (i % 7)}" for i in range(200))
    sentences = [TaggedSentence(words), TaggedSentence(words[:1]), TaggedSentence(words[3:40])]
    expected = [[tuned.labels[ids[0] % n_labels] for ids in tuned.words(s.words)] for s in sentences]
    assert tuned.predict(sentences) == expected


def test_save_and_load_is_identity(encoder, tmp_path):
    tuned = finetune(encoder, "ner", SENTENCES, SENTENCES[:3], QUICK)
    tuned.save(tmp_path / "model")
    loaded = load_finetuned(tmp_path / "model")
    for (name, ours), (_, theirs) in zip(
        tuned.model.named_parameters(), loaded.model.named_parameters(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    assert loaded.predict(SENTENCES[:3]) == tuned.predict(SENTENCES[:3])
    assert (loaded.curve, loaded.seconds, loaded.labels) == (tuned.curve, tuned.seconds, tuned.labels)


def test_frozen_embeddings_stay_as_they_were_and_are_not_saved(bert, tmp_path):
    settings = FinetuneSettings(epochs=1, lr=1e-2, batch_size=8, precision="float32")
    tuned = finetune(bert, "ner", SENTENCES, SENTENCES[:3], settings)
    from transformers import AutoModel

    before = AutoModel.from_pretrained(bert.folder).get_input_embeddings().weight
    assert torch.equal(tuned.model.get_input_embeddings().weight, before)
    assert tuned.n_parameters - tuned.n_trained == before.numel()
    tuned.save(tmp_path / "m")
    assert load_finetuned(tmp_path / "m").predict(SENTENCES[:3]) == tuned.predict(SENTENCES[:3])


def test_same_seed_same_weights_and_torchs_generator_is_left_alone(bert):
    def weights(seed):
        tuned = finetune(bert, "nli", PAIRS, PAIRS[:4], QUICK, seed)
        return torch.cat([p.detach().flatten() for p in tuned.model.parameters()])

    torch.manual_seed(99)
    before = torch.random.get_rng_state()
    first = weights(1)
    assert torch.equal(torch.random.get_rng_state(), before)
    assert torch.equal(weights(1), first)
    assert not torch.equal(weights(2), first)


def test_bfloat16_trains_too(bert):
    settings = FinetuneSettings(epochs=1, lr=1e-3, batch_size=8, precision="bfloat16")
    tuned = finetune(bert, "nli", PAIRS, PAIRS[:4], settings)
    assert np.isfinite(tuned.curve[0]["loss"])


def test_batches_hold_every_example_once_and_are_of_like_length():
    lengths = np.random.default_rng(0).integers(1, 100, size=1003)
    batches = bucketed(lengths, 16, np.random.default_rng(1))
    assert sorted(np.concatenate(batches).tolist()) == list(range(1003))
    spread = np.mean([np.ptp(lengths[batch]) for batch in batches])
    assert spread < 10  # random batches of 16 would spread over about 88


def test_wrong_settings_and_data_without_gold(bert):
    for bad in ({"frozen": "all"}, {"precision": "int8"}, {"epochs": 0}, {"max_length": 2}):
        with pytest.raises(InputError):
            FinetuneSettings(**bad)
    with pytest.raises(InputError, match="training data: no gold labels"):
        finetune(bert, "nli", [SentencePair("a", "b")], PAIRS[:2], QUICK)


def test_a_folder_whose_weights_are_missing(tmp_path):
    folder = save_tiny("bert", tmp_path / "tiny")
    for path in folder.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(InputError, match="cannot be loaded as an encoder"):
        finetune(find_encoder(str(folder)), "nli", PAIRS, PAIRS[:2], QUICK)


def test_a_model_trained_on_another_encoder_is_refused(bert, tmp_path, monkeypatch):
    finetune(bert, "nli", PAIRS, PAIRS[:2], QUICK).save(tmp_path)
    import json

    about = json.loads((tmp_path / "model.json").read_text())
    about["encoder"]["origin"] = "hub: x"
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="was trained on hub: x, found is local folder"):
        load_finetuned(tmp_path)
