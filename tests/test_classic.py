import json
import lzma
from dataclasses import replace

import numpy as np
import pytest
import torch
import typer
from typer.testing import CliRunner

from baselines.corpora import TaggedSentence
from comparisons.classic import cli, curse, fake_english, tables
from comparisons.classic.cells import Cell, run_cells, with_file
from comparisons.classic.fake import fake_items, fake_words, is_shared, reordered, shifted
from comparisons.classic.small import Shape, make_encoder, n_parameters
from comparisons.classic.steps import split, words_of
from comparisons.classic.vocabulary import SPECIAL, make_tokenizer, train_pieces, with_fake
from comparisons.encoders import find_encoder
from comparisons.loading import load_tokenizer
from comparisons.pretraining import load_masked_lm
from xlembed.errors import InputError

WORDS = ["the", "cat", "sees", "a", "dog", "near", "Rome", ",", "quickly", "#", "naïve", "日本"]
SENTENCES = [[WORDS[(i * j + j) % len(WORDS)] for j in range(3, 4 + i % 7)] for i in range(300)]
FAKE_TINY = replace(
    fake_english.QUICK, n_texts=0, n_held_out=6, n_train=12, n_dev=4, n_test=4, vocabulary=80, layers=1, hidden=16,
    inner=96, block=16, batch_size=4, steps=3, epochs=1, overlaps=(0.5,), depths=(2,),
)  # fmt: skip
CURSE_TINY = replace(
    curse.QUICK, languages=("en", "de"), n_texts=0, n_held_out=4, n_train=12, n_dev=4, n_test=4, vocabulary=60,
    layers=1, hidden=16, heads=1, inner=32, block=16, batch_size=4, steps=3, epochs=1, counts=(1, 2),
)  # fmt: skip


@pytest.fixture(scope="module")
def mirror(tmp_path_factory):
    """Texts and tagged sentences of two languages."""
    root = tmp_path_factory.mktemp("mirror")
    for lang in ("en", "de"):
        corpus = root / "corpora" / "opus-testsets" / f"{lang}.txt.xz"
        corpus.parent.mkdir(parents=True, exist_ok=True)
        corpus.write_bytes(lzma.compress("\n".join(" ".join(s) for s in SENTENCES).encode()))
        for part in ("train", "dev", "test"):
            path = root / "pos" / "ud" / lang / f"{part}.tsv"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("\n\n".join("\n".join(f"{w}\t{'NOUN' if len(w) > 3 else 'X'}" for w in s)
                                        for s in SENTENCES[:20]) + "\n")  # fmt: skip
    return root


@pytest.fixture
def locate(mirror):
    return lambda name: mirror / name


# ---- fake-English


def test_fake_english_shares_no_character_but_the_space():
    text = "The cat, near Rome; naïve 日本 \U0001f600!"
    fake = shifted(text)
    assert set(fake) & set(text) == {" "} and len(fake) == len(text)
    assert [len(word) for word in fake.split()] == [len(word) for word in text.split()]
    assert "".join(c if c == " " else chr(ord(c) - 0x100000) for c in fake) == text.replace("\U0001f600", "\ufffd")


def test_an_overlap_is_of_word_types_whatever_their_casing():
    types = [f"word{i}" for i in range(4000)]
    shared = [word for word in types if is_shared(word, 0.3)]
    assert abs(len(shared) / len(types) - 0.3) < 0.03
    assert set(shared) <= {word for word in types if is_shared(word, 0.5)}
    assert [is_shared(word.upper(), 0.3) for word in types] == [is_shared(word, 0.3) for word in types]
    assert fake_words(types, 1.0) == types and not set(fake_words(types)) & set(types)


def test_fake_items_keep_tags_and_order():
    item = TaggedSentence(("Rome", ",", "cat"), ("B-LOC", "O", "O"), "en")
    (fake,) = fake_items([item])
    assert fake.words == tuple(map(shifted, item.words)) and fake.tags == item.tags


def test_orders_take_away_what_they_say():
    assert reordered(SENTENCES, "kept", 1) == SENTENCES
    permuted = reordered(SENTENCES, "permuted", 1)
    assert [sorted(s) for s in permuted] == [sorted(s) for s in SENTENCES] and permuted != SENTENCES
    bag = reordered(SENTENCES, "frequency", 1)
    assert list(map(len, bag)) == list(map(len, SENTENCES)) and sorted(sum(bag, [])) == sorted(sum(SENTENCES, []))
    assert [sorted(s) for s in bag] != [sorted(s) for s in SENTENCES]
    assert reordered(SENTENCES, "frequency", 1) == bag != reordered(SENTENCES, "frequency", 2)
    with pytest.raises(InputError, match="kept, permuted, frequency"):
        reordered(SENTENCES, "sorted", 1)


def test_every_subword_has_its_fake_one_at_a_constant_distance(tmp_path):
    pieces = train_pieces(SENTENCES, 60)
    assert not set(pieces) & set(with_fake(pieces)[len(pieces) :]) and len(set(with_fake(pieces))) == 2 * len(pieces)
    make_tokenizer(with_fake(pieces)).save_pretrained(tmp_path)
    make_encoder(Shape(1, 16, 1, 16), make_tokenizer(with_fake(pieces)), 16, 1, tmp_path / "e", "e")
    tokenizer = load_tokenizer(find_encoder(str(tmp_path / "e")))
    for sentence in SENTENCES[:40]:
        english = tokenizer(" ".join(sentence), add_special_tokens=False)["input_ids"]
        fake = tokenizer(" ".join(fake_words(sentence)), add_special_tokens=False)["input_ids"]
        assert [i + len(pieces) if i >= len(SPECIAL) else i for i in english] == fake
        assert tokenizer.unk_token_id not in english


def test_pairs_and_special_tokens_of_the_small_tokenizer():
    tokenizer = make_tokenizer(train_pieces(SENTENCES, 60))
    ids = tokenizer("the cat", "a dog")["input_ids"]
    assert tokenizer.convert_ids_to_tokens(ids)[0] == "[CLS]" and ids.count(tokenizer.sep_token_id) == 2
    assert tokenizer.mask_token_id == SPECIAL.index("[MASK]")


# ---- small encoders


@pytest.mark.parametrize("layers", [1, 2, 4])
def test_depth_at_constant_parameters(tmp_path, layers):
    basic = Shape(2, 32, 2, 192)
    shape = basic.at_depth(layers)
    assert abs(shape.n_layer_parameters / basic.n_layer_parameters - 1) < 0.02
    tokenizer = make_tokenizer(train_pieces(SENTENCES, 60))
    encoder = make_encoder(shape, tokenizer, 16, 1, tmp_path / "e", "e")
    model, is_new_head = load_masked_lm(encoder, 1)
    matrices = sum(p.numel() for name, p in model.named_parameters() if ".layer." in name and p.ndim == 2)
    assert matrices == shape.n_layer_parameters and not is_new_head
    assert n_parameters(encoder.folder) == sum(p.numel() for p in model.parameters())


def test_a_depth_that_leaves_nothing_is_refused():
    with pytest.raises(InputError, match="depth 6 leaves"):
        Shape(2, 32, 2, 128).at_depth(6)


def test_wider_and_with_modules(tmp_path):
    assert Shape(2, 32, 2, 64).widened(2.0) == Shape(2, 64, 4, 128)
    tokenizer = make_tokenizer(train_pieces(SENTENCES, 60))
    encoder = make_encoder(Shape(1, 16, 1, 16, ("en", "de")), tokenizer, 16, 1, tmp_path / "e", "e")
    model, _ = load_masked_lm(encoder, 1)
    assert model.config.model_type == "xmod" and model.config.languages == ["en", "de"]


def test_the_seed_decides_the_weights(tmp_path):
    tokenizer = make_tokenizer(train_pieces(SENTENCES, 60))
    weights = [(make_encoder(Shape(1, 16, 1, 16), tokenizer, 16, seed, tmp_path / str(i), "e").folder
                / "model.safetensors").read_bytes() for i, seed in enumerate((1, 1, 2))]  # fmt: skip
    assert weights[0] == weights[1] != weights[2]


# ---- measures and data


def test_retrieval_is_that_of_a_loop():
    rng = np.random.default_rng(0)
    one = rng.normal(size=(30, 5))
    other = one + 0.8 * rng.normal(size=(30, 5))

    def cosine(a, b):
        return float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    hits = [max(range(30), key=lambda j: cosine(one[i], other[j])) == i for i in range(30)]
    hits += [max(range(30), key=lambda i: cosine(one[i], other[j])) == j for j in range(30)]
    assert fake_english.mutual_accuracy(one, other) == pytest.approx(np.mean(hits))
    assert fake_english.mutual_accuracy(one, one) == 1.0


def test_translation_of_pieces_is_by_input_embeddings(tmp_path):
    pieces = train_pieces(SENTENCES, 60)
    folder = make_encoder(Shape(1, 16, 1, 16), make_tokenizer(with_fake(pieces)), 16, 1, tmp_path / "e", "e").folder
    assert fake_english.piece_translation(folder, len(pieces)) < 50
    model, _ = load_masked_lm(find_encoder(str(folder)), 1)
    start, n = len(SPECIAL), len(pieces)
    with torch.no_grad():
        words = model.get_input_embeddings().weight
        words[start + n :] = words[start : start + n]
    model.save_pretrained(folder)
    assert fake_english.piece_translation(folder, n) == 100.0


def test_words_that_are_shared_do_not_count():
    items = [TaggedSentence(("word1", "word2", "word3"), ("A", "A", "A"))]
    shared = [is_shared(word, 0.5) for word in items[0].words]
    assert shared == [False, True, True]
    assert fake_english.accuracy_of_unshared(items, [["B", "A", "A"]], 0.5) == 0.0
    assert fake_english.accuracy_of_unshared(items, [["A", "B", "B"]], 0.5) == 100.0
    assert fake_english.accuracy_of_unshared(items, [["A", "B", "B"]], 0.0) == pytest.approx(33.33)
    assert fake_english.accuracy_of_unshared(items, [["A", "B", "B"]], 1.0) == 0.0


def test_held_out_texts_are_not_trained_on():
    sentences = [[str(i)] for i in range(200)]
    train, held_out = split(sentences, 3)
    assert held_out == [["0"], ["50"], ["100"]] and len(train) == 196 and ["150"] not in train


def test_texts_that_are_too_few_are_refused(tmp_path):
    (tmp_path / "en.txt").write_text("one two three\n" * 5)
    with pytest.raises(InputError, match="holds 5 texts"):
        words_of(tmp_path / "en.txt", "en")
    (tmp_path / "en.txt").write_text("")
    with pytest.raises(InputError, match="holds no text"):
        words_of(tmp_path / "en.txt", "en")


# ---- cells


def test_cells_are_computed_once(tmp_path):
    computed = []

    def compute(cell):
        if cell.name == "b" and len(computed) < 2:
            computed.append("died")
            raise KeyboardInterrupt
        computed.append(cell.name)
        return {"value": cell.what["n"] ** 2}

    cells = [Cell("a", {"n": 2}), Cell("b", {"n": 3})]
    with pytest.raises(KeyboardInterrupt):
        run_cells(tmp_path, FAKE_TINY, cells, compute)
    results = run_cells(tmp_path, FAKE_TINY, cells, compute)
    assert computed == ["a", "died", "b"] and [r["value"] for r in results] == [4, 9]
    assert run_cells(tmp_path, FAKE_TINY, cells, compute) == results and len(computed) == 3
    with pytest.raises(InputError, match="other settings"):
        run_cells(tmp_path, replace(FAKE_TINY, steps=4), cells, compute)
    (tmp_path / "cells" / "a.json").write_text("{")
    with pytest.raises(InputError, match="a.json: is not valid JSON"):
        run_cells(tmp_path, FAKE_TINY, cells, compute)
    (tmp_path / "cells" / "a.json").write_text("[]")
    with pytest.raises(InputError, match="a.json: is not the result of this cell"):
        run_cells(tmp_path, FAKE_TINY, cells, compute)


def test_settings_of_a_file(tmp_path):
    path = tmp_path / "s.toml"
    path.write_text('steps = 7\nlr = 1\noverlaps = [0.2]\ntasks = ["ner"]\n')
    found = with_file(fake_english.FULL, path)
    assert (found.steps, found.lr, found.overlaps, found.tasks) == (7, 1, (0.2,), ("ner",))
    for text, message in [
        ("stepz = 7", "stepz is no setting"),
        ("steps = 'x'", "a value such as"),
        ("steps = ", "is no TOML"),
        ("steps = 0", "must be above 0"),
        ("orders = ['x']", "is none of"),
        ("tasks = ['nli']", "tasks are"),
        ("overlaps = [2.0]", "are shares"),
    ]:
        path.write_text(text)
        with pytest.raises(InputError, match=message):
            with_file(fake_english.FULL, path)
    path.write_text("counts = [9]")
    with pytest.raises(InputError, match="from 1 to the 4 languages"):
        with_file(curse.FULL, path)
    with pytest.raises(InputError, match="no such file"):
        with_file(curse.FULL, tmp_path / "none.toml")


@pytest.mark.parametrize("settings, experiment", [(fake_english.FULL, fake_english), (fake_english.QUICK, fake_english),
                                                  (curse.FULL, curse), (curse.QUICK, curse)])  # fmt: skip
def test_cells_of_the_presets_have_names_of_their_own(settings, experiment):
    cells = experiment.cells_of(settings)
    assert len({cell.name for cell in cells}) == len(cells) == len({json.dumps(cell.what) for cell in cells})
    if experiment is fake_english:
        for layers in settings.depths:
            Shape(settings.layers, settings.hidden, settings.heads, settings.inner).at_depth(layers)


# ---- whole runs


def test_fake_english_from_end_to_end(locate, tmp_path):
    results = fake_english.run(FAKE_TINY, locate, tmp_path)
    by_name = {r["cell"]: r for r in results}
    assert set(by_name["basic-seed1"]["scores"]["pos"]) == {"en", "fake", "fake, unshared words"}
    assert set(by_name["basic-seed1"]["perplexity"]) == {"en", "fake"}
    assert "perplexity" not in by_name["untrained-seed1"]
    assert by_name["depth-2-seed1"]["shape"]["layers"] == 2
    assert fake_english.run(FAKE_TINY, locate, tmp_path) == results
    rows = tables.fake_english_rows(results)
    assert len(rows) == 1 + len(results) and len({len(row) for row in rows}) == 1
    tables.plot_fake_english(results, tmp_path / "a.png")
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")


def test_the_curse_by_command(mirror, tmp_path):
    settings = tmp_path / "s.toml"
    settings.write_text("\n".join(f"{name} = {json.dumps(getattr(CURSE_TINY, name))}" for name in
                                  ("languages", "n_texts", "n_held_out", "n_train", "n_dev", "n_test", "vocabulary",
                                   "layers", "hidden", "heads", "inner", "block", "batch_size", "steps", "epochs",
                                   "counts")))  # fmt: skip
    app = typer.Typer()
    cli.register(app)
    arguments = ["classic", "curse", "--mirror", str(mirror), "--quick", "--settings", str(settings), "--out"]
    done = CliRunner().invoke(app, [*arguments, str(tmp_path / "run"), "--json"])
    assert done.exit_code == 0, done.output
    results = json.loads(done.stdout)
    by_name = {r["cell"]: r for r in results}
    assert set(by_name) == {f"{name}-seed1" for name in
                            ("1-per-language", "2-per-language", "2-per-total", "2-width-2", "2-modules")}  # fmt: skip
    assert set(by_name["1-per-language-seed1"]["perplexity"]) == {"en"}
    assert all(set(r["scores"]) == {"en", "de"} for r in results)
    assert [by_name[f"2-per-{budget}-seed1"]["pretraining"]["steps"] for budget in ("language", "total")] == [6, 3]
    assert {path.name for path in (tmp_path / "run").iterdir()} >= {"results.json", "table.md", "curse.png"}
    again = CliRunner().invoke(app, [*arguments, str(tmp_path / "run")])
    assert again.exit_code == 0 and "| 2-modules |" in again.output


def test_data_that_is_nowhere_leaves_nothing(tmp_path):
    app = typer.Typer()
    cli.register(app)
    done = CliRunner().invoke(app, ["classic", "curse", "--mirror", str(tmp_path), "--quick", "--out",
                                    str(tmp_path / "run")])  # fmt: skip
    assert isinstance(done.exception, InputError) and not (tmp_path / "run").exists()
