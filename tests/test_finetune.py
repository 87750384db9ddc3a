import json
from dataclasses import replace

import numpy as np
import pytest
import torch
from tiny_encoders import ARCHITECTURES, POSITIONS, save_tiny
from transformers import AutoModel

import comparisons.finetune as finetune_module
from baselines.corpora import LabelledText, SentencePair, TaggedSentence
from comparisons import finetune_loop, memory
from comparisons.encoders import find_encoder
from comparisons.finetune import FinetunedEncoder, FinetuneSettings, finetune, load_finetuned
from comparisons.inputs import bucketed
from comparisons.layers import layers_of
from xlembed.errors import InputError

SENTENCES = [
    TaggedSentence(("Anna", "sings", "in", "Rome"), ("B-PER", "O", "O", "B-LOC"), "en"),
    TaggedSentence(("in", "Oslo"), ("O", "B-LOC"), "en"),
    TaggedSentence(("sings", "Bob"), ("O", "B-PER"), "en"),
] * 8
PAIRS = [SentencePair("a b c", "a b", "entailment", "en"), SentencePair("a b c", "x y", "contradiction", "en")] * 12
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
    predicted = tuned.predict([*SENTENCES[:3], long, odd], lang="en")
    assert [len(tags) for tags in predicted] == [4, 2, 2, 3 * POSITIONS, 4]
    assert {tag for tags in predicted for tag in tags} <= {"O", "B-PER", "B-LOC"}


def test_every_architecture_classifies_pairs_however_long(encoder):
    tuned = finetune(encoder, "nli", PAIRS, PAIRS[:4], QUICK)
    predicted = tuned.predict([*PAIRS[:4], SentencePair("very long " * 100, "text " * 100)], lang="en")
    assert len(predicted) == 5
    assert set(predicted) <= {"entailment", "neutral", "contradiction"}


def test_every_architecture_classifies_texts_by_any_labels(encoder):
    texts = [LabelledText("a b c", "sports", "en"), LabelledText("x y", "travel", "en")] * 8
    tuned = finetune(encoder, "topic", texts, texts[:2], QUICK)
    predicted = tuned.predict([LabelledText("a b"), LabelledText("very long " * 100)], lang="en")
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
        FinetunedEncoder,
        "logits",
        lambda tuned, batch: torch.nn.functional.one_hot(batch["input_ids"] % n_labels, n_labels).float(),
    )
    words = tuple(f"{'abcdefghij'[i % 10]}{'klm'[i % 3] * (i % 7)}" for i in range(200))
    sentences = [TaggedSentence(words), TaggedSentence(words[:1]), TaggedSentence(words[3:40])]
    expected = [[tuned.labels[ids[0] % n_labels] for ids in tuned.inputs.words(s.words)] for s in sentences]
    assert tuned.predict(sentences, lang="en") == expected


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


def test_accumulated_batches_are_one_large_batch(bert):
    """Without dropout the update is the mean over the labels of all batches, however they are cut."""
    def weights(batch_size, accumulate):
        settings = replace(QUICK, batch_size=batch_size, accumulate=accumulate)
        tuned = finetune(bert, "ner", SENTENCES, SENTENCES[:3], settings)
        return torch.cat([p.detach().flatten() for p in tuned.model.parameters()])

    config = bert.folder / "config.json"
    text = config.read_text()
    config.write_text(text.replace('_dropout_prob": 0.1', '_dropout_prob": 0.0'))
    try:
        assert torch.allclose(weights(24, 1), weights(8, 3), atol=1e-5)
        assert not torch.allclose(weights(24, 1), weights(8, 1), atol=1e-5)
    finally:
        config.write_text(text)


def test_training_stops_when_patience_is_spent(bert, monkeypatch):
    scores = iter([50.0, 60.0, 55.0, 60.0, 59.0, 99.0])
    monkeypatch.setattr(finetune_module, "_dev_score", lambda tuned, dev: next(scores))
    tuned = finetune(bert, "ner", SENTENCES, SENTENCES[:3], replace(QUICK, epochs=6, patience=2))
    assert [epoch["dev_f1"] for epoch in tuned.curve] == [50, 60, 55, 60]


class Stop(Exception):
    """What cuts a training off in a test."""


def test_a_training_that_was_cut_off_goes_on_as_if_it_had_not_been(bert, tmp_path, monkeypatch):
    settings = replace(QUICK, epochs=3, precision="float32")
    whole = finetune(bert, "ner", SENTENCES, SENTENCES[:3], settings, 5)
    monkeypatch.setattr(finetune_loop, "CHECKPOINT_SECONDS", 0.0)
    save, calls = finetune_loop.Trainer._save, []

    def cut_off(trainer, path):
        save(trainer, path)
        calls.append(path)
        if len(calls) in (2, 5, 9):  # in the first epoch, at its end, and later
            raise Stop

    monkeypatch.setattr(finetune_loop.Trainer, "_save", cut_off)
    for _ in range(3):
        with pytest.raises(Stop):
            finetune(bert, "ner", SENTENCES, SENTENCES[:3], settings, 5, tmp_path / "checkpoint")
    resumed = finetune(bert, "ner", SENTENCES, SENTENCES[:3], settings, 5, tmp_path / "checkpoint")
    for (name, ours), (_, theirs) in zip(
        whole.model.named_parameters(), resumed.model.named_parameters(), strict=True
    ):
        assert torch.equal(ours, theirs), name
    assert [e["dev_f1"] for e in resumed.curve] == [e["dev_f1"] for e in whole.curve]
    assert (tmp_path / "checkpoint").exists()  # until the model is saved, nothing else holds the training
    resumed.save(tmp_path)
    assert not (tmp_path / "checkpoint").exists()


def test_a_checkpoint_that_is_damaged_or_of_other_settings_is_not_used(bert, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(finetune_loop, "CHECKPOINT_SECONDS", 0.0)
    file = tmp_path / "checkpoint" / "checkpoint.safetensors"
    file.parent.mkdir()
    file.write_bytes(b"x" * 100)
    finetune(bert, "ner", SENTENCES, SENTENCES[:3], QUICK, 1, file.parent)
    assert "cannot be used" in capsys.readouterr().err
    file.unlink()

    def stop(trainer, score):
        raise Stop

    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(finetune_loop.Trainer, "_end_epoch", stop)
        finetune(bert, "ner", SENTENCES, SENTENCES[:3], QUICK, 1, file.parent)
    assert file.is_file()
    finetune(bert, "ner", SENTENCES, SENTENCES[:3], QUICK, 2, file.parent)
    assert "it is of other settings" in capsys.readouterr().err


@pytest.mark.parametrize("spoil", [
    lambda tensors, about: tensors.pop("now.classifier.weight"),
    lambda tensors, about: tensors.update({"adamw.exp_avg.classifier.bias": torch.zeros(1)}),
    lambda tensors, about: tensors["now.classifier.bias"].fill_(float("nan")),
    lambda tensors, about: about.update(schedule="x"),
    lambda tensors, about: about.update(schedule="-5"),
    lambda tensors, about: tensors.update(rng=torch.zeros(3, dtype=torch.uint8)),
    lambda tensors, about: about.update(state=about["state"].replace('"epoch": 1,', '"epoch": -1,')),
    lambda tensors, about: about.update(state=about["state"].replace('"losses": [', '"losses": ["x", ')),
])  # fmt: skip
def test_a_checkpoint_is_taken_up_whole_or_not_at_all(bert, spoil, tmp_path, monkeypatch, capsys):
    from safetensors import safe_open
    from safetensors.torch import save_file

    monkeypatch.setattr(finetune_loop, "CHECKPOINT_SECONDS", 0.0)
    plain = finetune(bert, "ner", SENTENCES, SENTENCES[:3], QUICK, 1)
    with monkeypatch.context() as patch, pytest.raises(Stop):
        patch.setattr(finetune_loop.Trainer, "_end_epoch", raising(Stop))
        finetune(bert, "ner", SENTENCES, SENTENCES[:3], QUICK, 1, tmp_path)
    path = tmp_path / "checkpoint.safetensors"
    with safe_open(path, "pt") as file:
        about, tensors = file.metadata(), {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    spoil(tensors, about)
    save_file(tensors, path, metadata=about)
    again = finetune(bert, "ner", SENTENCES, SENTENCES[:3], QUICK, 1, tmp_path)
    assert "training begins anew" in capsys.readouterr().err
    for (name, ours), (_, theirs) in zip(plain.model.named_parameters(), again.model.named_parameters(), strict=True):
        assert torch.equal(ours, theirs), name


def raising(kind):
    def stop(*_):
        raise kind

    return stop


def test_ctrl_c_keeps_the_best_epoch_so_far(bert, monkeypatch):
    epochs = iter([90.0, KeyboardInterrupt()])

    def dev_score(tuned, dev):
        score = next(epochs)
        if isinstance(score, BaseException):
            raise score
        return score

    monkeypatch.setattr(finetune_module, "_dev_score", dev_score)
    tuned = finetune(bert, "ner", SENTENCES, SENTENCES[:3], replace(QUICK, epochs=5))
    assert tuned.interrupted and len(tuned.curve) == 1
    once = finetune_with_one_score(bert, monkeypatch)
    weights = [torch.cat([p.detach().flatten() for p in x.model.parameters()]) for x in (tuned, once)]
    assert not torch.equal(*weights)  # the rate falls to 0 over five epochs here, over one there

    def at_once(tuned, dev):
        raise KeyboardInterrupt

    monkeypatch.setattr(finetune_module, "_dev_score", at_once)
    with pytest.raises(KeyboardInterrupt):  # nothing is there to be kept
        finetune(bert, "ner", SENTENCES, SENTENCES[:3], QUICK)


def finetune_with_one_score(bert, monkeypatch):
    monkeypatch.setattr(finetune_module, "_dev_score", lambda tuned, dev: 90.0)
    return finetune(bert, "ner", SENTENCES, SENTENCES[:3], QUICK)


def test_a_collapsed_seed_is_seen(bert, capsys):
    balanced = [SentencePair("a b c", "a b", label, "en") for label in ("entailment", "contradiction")] * 12
    tuned = finetune(bert, "nli", balanced, balanced[:2], QUICK)  # one text, two labels: there is nothing to learn
    assert tuned.floor == 50 and tuned.collapsed
    assert "collapsed: dev 50.00, the commonest label alone has 50.00" in capsys.readouterr().err
    settings = FinetuneSettings(epochs=12, lr=5e-3, batch_size=8, frozen="none", precision="float32")
    assert not finetune(bert, "ner", SENTENCES, SENTENCES[:3], settings).collapsed


@pytest.mark.parametrize("method", ["full", "lora", "adapter", "probe"])
def test_every_method_learns_saves_and_leaves_the_rest_alone(encoder, method, tmp_path):
    settings = FinetuneSettings(epochs=15, lr=2e-2 if method != "full" else 3e-3, batch_size=8, method=method,
                                precision="float32", reduction=2)  # fmt: skip
    tuned = finetune(encoder, "ner", SENTENCES, SENTENCES[:3], settings)
    assert tuned.curve[-1]["loss"] < (0.8 if method == "full" else 0.97) * tuned.curve[0]["loss"]
    tuned.save(tmp_path / "m")
    loaded = load_finetuned(tmp_path / "m")
    assert loaded.predict(SENTENCES[:3]) == tuned.predict(SENTENCES[:3])
    if method != "full":
        assert tuned.n_trained < tuned.n_parameters / 2
    plain = dict(AutoModel.from_pretrained(encoder.folder).named_parameters())
    base = tuned.model.base if method == "probe" else tuned.model.base_model
    for name, parameter in base.named_parameters():
        name = name.replace(".base_layer", "")
        if not parameter.requires_grad and name in plain:
            assert torch.equal(parameter, plain[name]), name


def test_pairs_can_be_probed(encoder):
    settings = replace(QUICK, method="probe", epochs=30, lr=5e-2)
    tuned = finetune(encoder, "nli", PAIRS, PAIRS[:4], settings)
    assert tuned.curve[-1]["dev_accuracy"] == 100
    assert tuned.n_trained == 33 * 3


def test_lower_layers_stay_as_they_were(encoder):
    tuned = finetune(encoder, "ner", SENTENCES, SENTENCES[:3], replace(QUICK, frozen_layers=1))
    lower, upper = layers_of(tuned.model)
    assert not any(p.requires_grad for module in lower for p in module.parameters())
    assert any(p.requires_grad for module in upper for p in module.parameters())
    assert not tuned.model.get_input_embeddings().weight.requires_grad
    with pytest.raises(InputError, match="frozen_layers = 3: this encoder has 2 layers"):
        finetune(encoder, "ner", SENTENCES, SENTENCES[:3], replace(QUICK, frozen_layers=3))


def test_too_little_memory_is_told_before_training(bert, monkeypatch, capsys):
    monkeypatch.setattr(memory, "free_memory", lambda: 1000)
    finetune(bert, "ner", SENTENCES, SENTENCES[:3], QUICK)
    err = capsys.readouterr().err
    assert "GiB are free: lower batch_size" in err and err.index("GiB are free") < err.index("epoch 1")


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
    for bad in ({"frozen": "all"}, {"precision": "int8"}, {"epochs": 0}, {"max_length": 2}, {"method": "x"},
                {"lr": 0.0}, {"accumulate": 0}, {"patience": -1}, {"warmup": 1.0}):  # fmt: skip
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


def test_a_tokenizer_of_another_encoder_is_refused(tmp_path):
    folder = save_tiny("bert", tmp_path / "tiny")
    config = json.loads((folder / "config.json").read_text()) | {"vocab_size": 50}
    model = AutoModel.from_pretrained(folder)
    model.resize_token_embeddings(50)
    model.save_pretrained(folder)
    (folder / "config.json").write_text(json.dumps(config))
    with pytest.raises(InputError, match="has a subword of number .*, the weights have 50 embeddings"):
        finetune(find_encoder(str(folder)), "nli", PAIRS, PAIRS[:2], QUICK)


def test_weights_that_are_not_finite_are_refused(bert, tmp_path):
    from safetensors.torch import load_file, save_file

    finetune(bert, "nli", PAIRS, PAIRS[:2], QUICK).save(tmp_path)
    weights = load_file(tmp_path / "trained.safetensors")
    weights["classifier.bias"][0] = float("inf")
    save_file(weights, tmp_path / "trained.safetensors")
    about = json.loads((tmp_path / "model.json").read_text())
    about.pop("weights_sha256")
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="its weights cannot be read .not finite numbers"):
        load_finetuned(tmp_path)


@pytest.mark.parametrize("change", [
    {"labels": []}, {"labels": ["entailment", "entailment"]}, {"labels": ["yes", "no"]}, {"kind": "x"}, {"seed": -1},
    {"curve": []}, {"curve": [{"epoch": 1}]}, {"floor": None}, {"interrupted": 0}, {"language_adapters": {"de": 5}},
    {"encoder": {"name": 5, "origin": "local folder"}}, {"settings": {"epochs": 1.5}}, {"settings": {"unknown": 1}},
])  # fmt: skip
def test_a_model_json_of_other_values_is_refused(bert, change, tmp_path):
    finetune(bert, "nli", PAIRS, PAIRS[:2], QUICK).save(tmp_path)
    about = json.loads((tmp_path / "model.json").read_text()) | change
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="model.json: is not that of a fine-tuned encoder"):
        load_finetuned(tmp_path)


def test_a_model_trained_on_another_encoder_is_refused(bert, tmp_path, monkeypatch):
    finetune(bert, "nli", PAIRS, PAIRS[:2], QUICK).save(tmp_path)
    about = json.loads((tmp_path / "model.json").read_text())
    about["encoder"]["origin"] = "hub: x"
    (tmp_path / "model.json").write_text(json.dumps(about))
    with pytest.raises(InputError, match="was trained on hub: x, found is local folder"):
        load_finetuned(tmp_path)
