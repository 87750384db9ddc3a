import json
import lzma
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from tiny_encoders import save_tiny
from torch.nn.functional import cross_entropy
from transformers import AutoModelForMaskedLM
from typer.testing import CliRunner

from baselines.corpora import TaggedSentence
from comparisons import pretraining, pretraining_cli
from comparisons.encoders import find_encoder
from comparisons.finetune import FinetuneSettings, finetune
from comparisons.inputs import IGNORED
from comparisons.pretraining import (
    freeze,
    load_masked_lm,
    masked_inputs,
    masked_perplexity,
    pretrain,
    pretrain_encoder,
    rate,
)
from comparisons.pretraining_data import Draws, Masker, language_shares, read_lines, read_parallel
from comparisons.pretraining_heads import head_of, masked_loss
from comparisons.pretraining_settings import PretrainSettings
from xlembed.errors import InputError

ARCHITECTURES = ("bert", "xlm", "xlm-15", "xlm-roberta", "xmod", "deberta")
TEXTS = ["Anna sings in Rome", "Bob reads a very long book about nothing at all", "so it goes", "no"] * 6
OTHERS = ["Anna singt in Rom", "Bob liest ein sehr langes Buch", "so geht es", "nein"] * 6
QUICK = PretrainSettings(steps=6, batch_size=2, lr=1e-3, block=24, precision="float32", device="cpu", every=2)


class Ready:
    """An encoder with what makes its inputs."""

    def __init__(self, folder, settings=QUICK):
        self.encoder = find_encoder(str(folder))
        self.model, self.is_new_head = load_masked_lm(self.encoder, 1)
        self.inputs = masked_inputs(self.encoder, self.model, settings)
        self.corpus = self.inputs.corpus(TEXTS, "en", settings.block, settings.layout)

    def weights(self):
        return {name: tensor.clone() for name, tensor in self.model.state_dict().items()}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    root = tmp_path_factory.mktemp("encoders")
    return {name: save_tiny(name, root / name) for name in ARCHITECTURES}


@pytest.fixture(params=ARCHITECTURES)
def ready(request, folders):
    return Ready(folders[request.param])


@pytest.fixture
def bert(folders):
    return Ready(folders["bert"])


def same(one, other):
    return one.keys() == other.keys() and all(torch.equal(one[name], other[name]) for name in one)


# ---- texts into inputs


def obviously_packed(tokenizer, texts, block):
    """Every block of the stream, by lists."""
    cls, sep = tokenizer.cls_token_id, tokenizer.sep_token_id
    stream = []
    for text in texts:
        stream += tokenizer(text, add_special_tokens=False)["input_ids"] + [sep]
    stream.pop()
    return [[cls, *stream[i : i + block - 2], sep] for i in range(0, len(stream), block - 2)]


def rows_of(corpus):
    return [corpus.ids[start:end].tolist() for start, end in zip(corpus.starts[:-1], corpus.starts[1:], strict=True)]


@pytest.mark.parametrize("at_once", [1, 5, 1000])
def test_packed_text_is_one_stream_in_blocks(bert, monkeypatch, at_once):
    monkeypatch.setattr("comparisons.pretraining_data.AT_ONCE", at_once)
    corpus = bert.inputs.corpus(TEXTS, "en", 24)
    assert rows_of(corpus) == obviously_packed(bert.inputs.tokenizer, TEXTS, 24)


def test_texts_alone_lose_nothing_however_long(ready):
    tokenizer = ready.inputs.tokenizer
    corpus = ready.inputs.corpus(["so it goes", "abc " * 30], "en", 24, "sentences")
    rows = rows_of(corpus)
    assert rows[0] == tokenizer("so it goes")["input_ids"] and max(map(len, rows)) <= 24
    special = set(tokenizer.all_special_ids)
    found = [piece for row in rows for piece in row if piece not in special]
    wanted = [piece for text in ("so it goes", "abc " * 30)
              for piece in tokenizer(text, add_special_tokens=False)["input_ids"]]  # fmt: skip
    assert found == wanted


def test_texts_of_unknown_characters_alone_are_no_inputs(bert):
    assert len(bert.inputs.corpus(["日本", "so it goes"], "en", 24, "sentences")) == 1
    with pytest.raises(InputError, match="no subword that this tokenizer knows"):
        bert.inputs.corpus(["日本"], "ja", 24)


def test_pairs_are_what_the_tokenizer_makes_of_them(ready):
    pairs = list(zip(TEXTS[:3], OTHERS[:3], strict=True))
    corpus = ready.inputs.pairs(pairs, ("en", "de"), 200)
    assert len(corpus) == 3 and corpus.name == "en-de"
    for row, (one, other) in enumerate(pairs):
        example = ready.inputs.example(corpus, row, np.random.default_rng(row))
        expected = ready.inputs.tokenizer(one, other)
        ids = np.where(example.labels == IGNORED, example.ids, example.labels)
        if len(expected["input_ids"]) <= len(ids):  # the others are cut to the few positions of the tiny encoders
            assert ids.tolist() == expected["input_ids"]
            if example.types is not None:
                assert example.types.tolist() == expected["token_type_ids"]


@pytest.mark.parametrize("architecture, first", [("bert", 0), ("xlm-15", 0), ("xlm-roberta", 2), ("xmod", 2)])
def test_positions_and_languages_of_both_sides(folders, architecture, first):
    ready = Ready(folders[architecture])
    corpus = ready.inputs.pairs([("ab", "cde"), ("a", "b")], ("en", "de"), 24)
    examples = ready.inputs.held_out([corpus])
    batch = ready.inputs.batch(examples)
    n_first, n_all = examples[0].second, len(examples[0])
    expected = [*range(n_first), *range(n_all - n_first)]
    assert batch["position_ids"][0, :n_all].tolist() == [first + place for place in expected]
    if ready.inputs.inputs.languages.key:
        codes = {"xlm-15": (1, 0), "xmod": (0, 1)}[architecture]
        langs = batch[ready.inputs.inputs.languages.key][0, :n_all].tolist()
        assert langs == [codes[0]] * n_first + [codes[1]] * (n_all - n_first)


def test_continued_positions_are_the_encoders_own(folders):
    for architecture, settings in (("bert", replace(QUICK, positions="continue")), ("deberta", QUICK)):
        ready = Ready(folders[architecture], settings)
        assert "position_ids" not in ready.inputs.batch(ready.inputs.held_out([ready.inputs.pairs(
            [("a", "b")], ("en", "de"), 24)]))  # fmt: skip
    with pytest.raises(InputError, match="relative positions"):
        Ready(folders["deberta"], replace(QUICK, positions="restart"))


def test_texts_and_pairs_go_together(folders):
    ready = Ready(folders["xlm-15"])
    examples = ready.inputs.held_out([ready.corpus, ready.inputs.pairs([("ab", "cd")], ("en", "de"), 24)])
    batch = ready.inputs.batch(examples)
    assert batch["position_ids"][0].tolist() == list(range(batch["input_ids"].shape[1]))
    assert batch["position_ids"][-1].tolist() != batch["position_ids"][0].tolist()


def test_a_language_that_the_encoder_does_not_know_is_refused(folders):
    ready = Ready(folders["xlm-15"])
    with pytest.raises(InputError, match="no language embedding for nl"):
        ready.inputs.corpus(TEXTS, "nl", 24)
    with pytest.raises(InputError, match="no language embedding for nl"):
        ready.inputs.pairs([("a", "b")], ("en", "nl"), 24)


# ---- masks


def test_masks_are_a_share_of_the_ordinary_subwords(ready):
    masker, rng = ready.inputs.masker, np.random.default_rng(0)
    ids = np.concatenate([[ready.inputs.tokenizer.cls_token_id], np.resize(masker.ordinary, 20_000)])
    masked, labels = masker(ids, rng)
    chosen = labels != IGNORED
    assert chosen.sum() == 3000 and not chosen[0]
    assert np.array_equal(labels[chosen], ids[chosen]) and np.array_equal(masked[~chosen], ids[~chosen])
    assert np.isin(masked[chosen], [*masker.ordinary, masker.mask]).all()
    is_mask = masked[chosen] == masker.mask
    is_kept = masked[chosen] == ids[chosen]
    assert abs(is_mask.mean() - 0.8) < 0.03
    assert abs(is_kept.mean() - 0.1 - 0.1 / len(masker.ordinary)) < 0.03


def test_special_tokens_are_never_chosen_and_something_always_is(bert):
    tokenizer = bert.inputs.tokenizer
    ids = np.array([tokenizer.cls_token_id, tokenizer.unk_token_id, 7, tokenizer.sep_token_id, tokenizer.pad_token_id])
    for seed in range(50):
        _, labels = bert.inputs.masker(ids, np.random.default_rng(seed))
        assert np.flatnonzero(labels != IGNORED).tolist() == [2]


def test_masks_change_with_the_generator_and_held_out_ones_do_not(bert):
    one, other = (bert.inputs.example(bert.corpus, 0, np.random.default_rng(seed)) for seed in (1, 2))
    assert not np.array_equal(one.labels, other.labels)
    first, second = (bert.inputs.held_out([bert.corpus]) for _ in range(2))
    assert all(np.array_equal(a.ids, b.ids) and np.array_equal(a.labels, b.labels)
               for a, b in zip(first, second, strict=True))  # fmt: skip


def test_a_tokenizer_without_a_mask_token_is_refused(bert):
    class Maskless:
        mask_token_id = None

    with pytest.raises(InputError, match="no mask token"):
        Masker(Maskless(), 10)


# ---- which inputs an update sees


def test_shares_of_languages_are_equation_1():
    assert language_shares([900, 100], 1.0).tolist() == pytest.approx([0.9, 0.1])
    assert language_shares([900, 100], 0.0).tolist() == pytest.approx([0.5, 0.5])
    p = [0.9**0.7, 0.1**0.7]
    assert language_shares([900, 100], 0.7).tolist() == pytest.approx([p[0] / sum(p), p[1] / sum(p)])


def test_every_input_comes_once_a_pass_and_draws_go_on_from_their_counts():
    draws = Draws([5], 1.0, seed=3)
    taken = [row for step in range(4) for _, row in draws.take(step, 5)]
    assert all(sorted(taken[i : i + 5]) == list(range(5)) for i in range(0, 20, 5))
    assert taken[:5] != taken[5:10]
    whole, first = Draws([5, 9], 0.5, seed=3), Draws([5, 9], 0.5, seed=3)
    expected = [whole.take(step, 7) for step in range(6)]
    found = [first.take(step, 7) for step in range(3)]
    second = Draws([5, 9], 0.5, seed=3, drawn=first.drawn)
    assert found + [second.take(step, 7) for step in range(3, 6)] == expected


# ---- the head


def test_the_loss_is_the_models_own(ready):
    """Sum over masked rows = mean over the full logits x their number."""
    ready.model.eval()
    for corpus in (ready.corpus, ready.inputs.pairs([("ab", "cde"), ("a", "b")], ("en", "de"), 24)):
        batch = ready.inputs.batch(ready.inputs.held_out([corpus]))
        n = int((batch["labels"] != IGNORED).sum())
        with torch.no_grad():
            whole = ready.model(**{name: tensor for name, tensor in batch.items() if name != "labels"}).logits
            mean = cross_entropy(whole.flatten(0, 1), batch["labels"].flatten(), ignore_index=IGNORED)
            assert float(masked_loss(ready.model, batch)) == pytest.approx(n * float(mean), rel=1e-5)
            assert float(ready.model(**batch).loss) == pytest.approx(float(mean), rel=1e-5)


def test_the_head_of_deberta_v3(folders):
    model = AutoModelForMaskedLM.from_pretrained(folders["deberta"], legacy=False).eval()
    ids = torch.tensor([[0, 7, 8, 9, 2]])
    with torch.no_grad():
        hidden = model.base_model(ids)[0]
        assert torch.allclose(head_of(model)(hidden[0]), model(ids).logits[0], atol=1e-6)


def test_an_unknown_head_is_refused():
    with pytest.raises(InputError, match="Linear: its head for masked words is not known"):
        head_of(torch.nn.Linear(2, 2))


# ---- the loop


def test_a_learning_rate_that_rises_and_falls():
    assert [rate(step, 10, 0.2) for step in range(10)] == pytest.approx(
        [0.5, 1, 1, 7 / 8, 6 / 8, 5 / 8, 4 / 8, 3 / 8, 2 / 8, 1 / 8]
    )


def test_training_lowers_the_perplexity_of_what_it_saw(ready):
    settings = replace(QUICK, steps=40, batch_size=8, lr=5e-3)
    before = masked_perplexity(ready.model, ready.inputs, [ready.corpus], settings)
    curve = pretrain(ready.model, ready.inputs, [ready.corpus], settings)
    assert masked_perplexity(ready.model, ready.inputs, [ready.corpus], settings) < 0.8 * before
    assert len(curve.losses) == 40 and curve.points(4)[-1] == {
        "step": 40, "loss": pytest.approx(np.mean(curve.losses[-10:]), abs=1e-4)}  # fmt: skip


def test_frozen_word_embeddings_stay_and_all_else_moves(ready):
    freeze(ready.model, "embeddings")
    before = ready.weights()
    pretrain(ready.model, ready.inputs, [ready.corpus], QUICK)
    words = ready.model.get_input_embeddings().weight
    moved = {name for name, p in ready.model.named_parameters() if not torch.equal(before[name], p)}
    assert all(p is not words for name, p in ready.model.named_parameters() if name in moved)
    assert len(moved) > 20


def test_only_what_is_given_is_trained(bert):
    chosen = list(bert.model.bert.encoder.layer[1].parameters())
    before = bert.weights()
    pretrain(bert.model, bert.inputs, [bert.corpus], QUICK, trainable=chosen)
    moved = {name for name, tensor in bert.model.state_dict().items() if not torch.equal(before[name], tensor)}
    assert moved and all(name.startswith("bert.encoder.layer.1.") for name in moved)
    chosen[0].requires_grad_(False)
    with pytest.raises(InputError, match="require a gradient"):
        pretrain(bert.model, bert.inputs, [bert.corpus], QUICK, trainable=chosen)


def test_accumulated_batches_are_one_batch(folders):
    """Exactly so without dropout, whatever number of subwords each part predicts."""
    trained = []
    for settings in (replace(QUICK, batch_size=4), replace(QUICK, batch_size=1, accumulate=4)):
        ready = Ready(folders["bert"], replace(settings, layout="sentences"))
        for module in ready.model.modules():
            if isinstance(module, torch.nn.Dropout):
                module.p = 0.0
        pretrain(ready.model, ready.inputs, [ready.corpus], settings)
        trained.append(ready.weights())
    for name in trained[0]:
        assert torch.allclose(trained[0][name], trained[1][name], atol=2e-4), name


def test_the_seed_decides_and_torchs_own_generator_is_left_alone(folders):
    results = []
    for seed in (1, 1, 2):
        ready = Ready(folders["bert"])
        torch.manual_seed(99)
        pretrain(ready.model, ready.inputs, [ready.corpus], replace(QUICK, seed=seed))
        assert torch.initial_seed() == 99
        results.append(ready.weights())
    assert same(results[0], results[1]) and not same(results[0], results[2])


def test_a_loss_that_is_not_finite_is_told(bert):
    with torch.no_grad():
        bert.model.bert.encoder.layer[0].output.dense.bias.fill_(float("nan"))
    with pytest.raises(InputError, match="loss is nan at update 1: lower lr"):
        pretrain(bert.model, bert.inputs, [bert.corpus], QUICK)


# ---- checkpoints


def broken_off(folder, checkpoint, monkeypatch, n=5, settings=QUICK):
    """A run that dies in update n."""
    calls = []

    def dies(*arguments):
        calls.append(1)
        if len(calls) == n:
            raise RuntimeError("power cut")
        return masked_loss(*arguments)

    ready = Ready(folder)
    with monkeypatch.context() as patch:
        patch.setattr(pretraining, "masked_loss", dies)
        with pytest.raises(RuntimeError, match="power cut"):
            pretrain(ready.model, ready.inputs, [ready.corpus], settings, checkpoint=checkpoint)


@pytest.mark.parametrize("architecture", ARCHITECTURES)
def test_a_run_that_died_goes_on_to_the_same_weights(folders, architecture, tmp_path, monkeypatch):
    whole = Ready(folders[architecture])
    expected = pretrain(whole.model, whole.inputs, [whole.corpus], QUICK)
    broken_off(folders[architecture], tmp_path / "c.safetensors", monkeypatch)
    second = Ready(folders[architecture])
    curve = pretrain(second.model, second.inputs, [second.corpus], QUICK, checkpoint=tmp_path / "c.safetensors")
    assert curve.n_resumed == 4 and curve.losses == expected.losses
    assert same(whole.weights(), second.weights())
    assert [path.name for path in tmp_path.iterdir()] == ["c.safetensors"]


def test_ctrl_c_saves_the_updates_so_far(folders, tmp_path, monkeypatch, press):
    whole = Ready(folders["bert"])
    pretrain(whole.model, whole.inputs, [whole.corpus], QUICK)
    calls, handler = [], signal.getsignal(signal.SIGINT)

    def presses(*arguments):
        calls.append(1)
        if len(calls) == 3:
            press()
        return masked_loss(*arguments)

    first = Ready(folders["bert"])
    with monkeypatch.context() as patch:
        patch.setattr(pretraining, "masked_loss", presses)
        with pytest.raises(KeyboardInterrupt):
            pretrain(first.model, first.inputs, [first.corpus], QUICK, checkpoint=tmp_path / "c.safetensors")
    assert signal.getsignal(signal.SIGINT) is handler
    second = Ready(folders["bert"])
    curve = pretrain(second.model, second.inputs, [second.corpus], QUICK, checkpoint=tmp_path / "c.safetensors")
    assert curve.n_resumed == 3 and same(whole.weights(), second.weights())


@pytest.mark.parametrize("spoil", [lambda data: data[: len(data) // 2], lambda data: b"not this", lambda data: b""])
def test_a_damaged_checkpoint_is_told(folders, tmp_path, monkeypatch, spoil):
    path = tmp_path / "c.safetensors"
    broken_off(folders["bert"], path, monkeypatch)
    path.write_bytes(spoil(path.read_bytes()))
    ready = Ready(folders["bert"])
    with pytest.raises(InputError, match="c.safetensors: is damaged"):
        pretrain(ready.model, ready.inputs, [ready.corpus], QUICK, checkpoint=path)


@pytest.mark.parametrize("change", [
    {"step": -1}, {"step": "x"}, {"drawn": [None]}, {"facts": []}, {"losses": ["x"]}, {"losses": [float("nan")]},
    {"seconds": None}, {"precision": "int8"},
])  # fmt: skip
def test_a_checkpoint_that_says_odd_things_of_itself_is_damaged(change, tmp_path):
    from safetensors.torch import save_file

    from comparisons.pretraining_checkpoints import read_about

    about = {"facts": {}, "step": 2, "drawn": [2], "losses": [1.5, 1], "seconds": 0.5, "precision": "float32"}
    for name, said in (("good", about), ("bad", about | change)):
        save_file({"a": torch.zeros(1)}, tmp_path / name, metadata={"about": json.dumps(said)})
    assert read_about(tmp_path / "good") == about
    with pytest.raises(InputError, match="bad: is damaged"):
        read_about(tmp_path / "bad")


def test_a_checkpoint_of_another_run_is_refused(folders, tmp_path, monkeypatch):
    path = tmp_path / "c.safetensors"
    broken_off(folders["bert"], path, monkeypatch)
    ready = Ready(folders["bert"])
    with pytest.raises(InputError, match="other settings:"):
        pretrain(ready.model, ready.inputs, [ready.corpus], replace(QUICK, lr=1e-4), checkpoint=path)
    with pytest.raises(InputError, match="other data:"):
        corpus = ready.inputs.corpus(OTHERS, "en", 24)
        pretrain(ready.model, ready.inputs, [corpus], QUICK, checkpoint=path)
    with pytest.raises(InputError, match="other trained:"):
        freeze(ready.model, "embeddings")
        pretrain(ready.model, ready.inputs, [ready.corpus], QUICK, checkpoint=path)
    other = Ready(folders["bert"])
    with torch.no_grad():
        other.model.get_input_embeddings().weight[7, 0] += 1
    with pytest.raises(InputError, match="other weights:"):
        pretrain(other.model, other.inputs, [other.corpus], QUICK, checkpoint=path)


# ---- a folder


def test_the_folder_is_an_encoder_that_can_be_fine_tuned(folders, tmp_path):
    for architecture in ("bert", "xlm-15", "xlm-roberta"):
        out = tmp_path / architecture

        def corpora(inputs):
            return [inputs.corpus(TEXTS, "en", 24)]

        report = pretrain_encoder(find_encoder(str(folders[architecture])), corpora, corpora, QUICK, out)
        assert report["encoder"]["new_head"] and report["dev"]["en"]["after"] < report["dev"]["en"]["before"]
        assert json.loads((out / "pretraining.json").read_text()) == report
        assert not list(out.glob(".*")) and not (out / "checkpoint.safetensors").exists()
        again, is_new_head = load_masked_lm(find_encoder(str(out)), 1)
        assert not is_new_head
        held_out = Ready(out)
        assert masked_perplexity(again, held_out.inputs, [held_out.corpus], QUICK) == pytest.approx(
            report["dev"]["en"]["after"], rel=1e-3)  # fmt: skip
        sentences = [TaggedSentence(("Anna", "sings"), ("B-PER", "O"), "en")] * 4
        tuned = finetune(find_encoder(str(out)), "ner", sentences, sentences, FinetuneSettings(epochs=1))
        assert len(tuned.predict(sentences, lang="en")) == 4
        with pytest.raises(InputError, match="holds an encoder already"):
            pretrain_encoder(find_encoder(str(folders[architecture])), corpora, None, QUICK, out)


# ---- files


def test_texts_of_plain_and_packed_files(tmp_path):
    (tmp_path / "a.txt").write_text("one\n\ntwo\n")
    (tmp_path / "a.txt.xz").write_bytes(lzma.compress(b"one\ntwo\nthree\n"))
    assert read_lines(tmp_path / "a.txt") == ["one", "two"]
    assert read_lines(tmp_path / "a.txt.xz", 2) == ["one", "two"]


def test_files_without_text_are_refused(tmp_path):
    for text in ("", "\n \n"):
        (tmp_path / "a.txt").write_text(text)
        with pytest.raises(InputError, match="holds no text"):
            read_lines(tmp_path / "a.txt")
        with pytest.raises(InputError, match="hold no pair"):
            read_parallel(tmp_path / "a.txt", tmp_path / "a.txt")


def test_parallel_lines(tmp_path):
    (tmp_path / "en.txt").write_text("one\n\ntwo\none\n")
    (tmp_path / "de.txt").write_text("eins\nleer\nzwei\neins\n")
    assert read_parallel(tmp_path / "en.txt", tmp_path / "de.txt") == [("one", "eins"), ("two", "zwei")]
    (tmp_path / "de.txt").write_text("eins\nzwei\n")
    with pytest.raises(InputError, match=r"en.txt has 4 lines, .*de.txt has 2"):
        read_parallel(tmp_path / "en.txt", tmp_path / "de.txt")


def xnli(path, rows):
    lines = ["\t".join(row) for row in [("genre", "label", "premise", "hypothesis"), *rows]]
    path.write_text("\n".join(lines) + "\n")
    return path


def test_parallel_rows_of_xnli(tmp_path):
    en = xnli(tmp_path / "en.tsv", [("x", "neutral", "p", "h"), ("x", "entailment", "p", "i")])
    de = xnli(tmp_path / "de.tsv", [("x", "neutral", "P", "H"), ("x", "entailment", "P", "I")])
    assert read_parallel(en, de) == [("p", "P"), ("h", "H"), ("i", "I")]
    assert read_parallel(en, de, 2) == [("p", "P"), ("h", "H")]
    xnli(de, [("x", "entailment", "P", "H"), ("x", "entailment", "P", "I")])
    with pytest.raises(InputError, match="row 1 is neutral here and entailment there"):
        read_parallel(en, de)
    (tmp_path / "de.txt").write_text("eins\n")
    with pytest.raises(InputError, match="the other is not"):
        read_parallel(en, tmp_path / "de.txt")


@pytest.mark.parametrize(
    "change",
    [{"layout": "x"}, {"steps": 0}, {"block": 4}, {"lr": 0.0}, {"share": 1.0}, {"alpha": 2.0}, {"seed": -1}],
)
def test_settings_that_cannot_be_are_refused(change):
    with pytest.raises(InputError, match=next(iter(change))):
        PretrainSettings(**change)


# ---- commands


@pytest.fixture
def app():
    import typer

    app = typer.Typer()
    pretraining_cli.register(app)
    return app


def run(app, *arguments):
    return CliRunner().invoke(app, ["pretrain", *map(str, arguments)])


def test_the_command_for_texts(app, folders, tmp_path):
    (tmp_path / "en.txt").write_text("\n".join(TEXTS))
    (tmp_path / "de.txt").write_text("\n".join(OTHERS))
    arguments = ["mlm", tmp_path / "en.txt", tmp_path / "de.txt", "--lang", "en", "--lang", "de", "--encoder",
                 folders["xlm-15"], "--steps", 3, "--block", 24, "--dev", tmp_path / "en.txt"]  # fmt: skip
    refused = run(app, *arguments, "--out", tmp_path / "out")
    assert isinstance(refused.exception, InputError) and "1 times for 2 languages" in str(refused.exception)
    assert not (tmp_path / "out").exists()
    done = run(app, *arguments, "--dev", tmp_path / "de.txt", "--out", tmp_path / "out")
    assert done.exit_code == 0, done.output
    assert "en: masked perplexity" in done.output and "de: masked perplexity" in done.output
    assert load_file(tmp_path / "out" / "model.safetensors")


def test_the_command_for_translations(app, folders, tmp_path):
    (tmp_path / "en.txt").write_text("\n".join(TEXTS))
    (tmp_path / "de.txt").write_text("\n".join(OTHERS))
    done = run(app, "tlm", tmp_path / "en.txt", tmp_path / "de.txt", "--langs", "en", "de", "--encoder",
               folders["xlm-roberta"], "--steps", 2, "--block", 24, "--out", tmp_path / "out", "--json",
               "--dev", tmp_path / "en.txt", tmp_path / "de.txt")  # fmt: skip
    assert done.exit_code == 0, done.output
    report = json.loads(done.stdout)
    assert set(report["dev"]) == {"en-de"} and report["settings"]["steps"] == 2


def test_input_that_cannot_be_used_leaves_nothing(app, folders, tmp_path):
    (tmp_path / "empty.txt").write_text("")
    for arguments, message in [
        (["mlm", tmp_path / "empty.txt", "--lang", "en"], "holds no text"),
        (["mlm", tmp_path / "none.txt", "--lang", "en"], "no such file"),
        (["mlm", tmp_path / "empty.txt", "--lang", "english"], "no language code"),
        (["mlm", tmp_path / "empty.txt", "--lang", "en", "--lang", "de"], "2 times for 1 files"),
        (["tlm", tmp_path / "empty.txt", tmp_path / "none.txt", "--langs", "en", "de"], "no such file"),
    ]:
        done = run(app, *arguments, "--encoder", folders["bert"], "--out", tmp_path / "out")
        assert isinstance(done.exception, InputError) and message in str(done.exception)
        assert not (tmp_path / "out").exists()
