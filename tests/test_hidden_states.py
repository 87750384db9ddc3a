"""Layers read in batches are those of one sentence at a time through the bare model."""

import numpy as np
import pytest
import torch
from tiny_encoders import ARCHITECTURES, POSITIONS, save_tiny
from transformers import AutoModel, AutoTokenizer

import comparisons.hidden_states as hidden_states
from comparisons.encoders import FoundEncoder
from comparisons.hidden_states import LayerReader
from xlembed.errors import InputError

TEXTS = ["a bird sings", "x", "Zwei Hunde, drei Katzen?", "hmm ... ok", "1 2 3", "b" * 30, "a bird sings"]
LANG = "de"  # XLM and X-MOD have to be told


@pytest.fixture(scope="module", params=[*ARCHITECTURES, "xlm-15"])
def folder(request, tmp_path_factory):
    return save_tiny(request.param, tmp_path_factory.mktemp("tiny") / request.param)


@pytest.fixture(params=[40, 10_000], ids=["small-batches", "one-batch"])
def reader(folder, request, monkeypatch):
    monkeypatch.setattr(hidden_states, "N_TOKENS", request.param)
    return LayerReader(FoundEncoder("tiny", folder, "local folder"))


class OneAtATime:
    """No batches, no padding, transformers alone."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModel.from_pretrained(folder).eval()
        if self.model.config.model_type == "xmod":
            self.model.set_default_language("de_DE")

    def states(self, ids):
        """All layers of given ids, (n_layers + 1, length, dim)."""
        ids = torch.tensor([ids])
        langs = {"langs": torch.zeros_like(ids)} if getattr(self.model.config, "use_lang_emb", False) else {}  # de
        with torch.no_grad():
            hidden = self.model(input_ids=ids, output_hidden_states=True, **langs).hidden_states
        return np.stack([layer[0].numpy() for layer in hidden])

    def sentence(self, text):
        ids = self.tokenizer(text)["input_ids"]
        special = self.tokenizer.get_special_tokens_mask(ids, already_has_special_tokens=True)
        kept = [i for i, one in enumerate(special) if not one or ids[i] == self.tokenizer.unk_token_id]
        return self.states(ids)[:, kept].mean(axis=1)

    def words(self, words):
        pieces = [self.tokenizer(word, add_special_tokens=False)["input_ids"] for word in words]
        bare = self.tokenizer("a", add_special_tokens=False)["input_ids"]
        full = self.tokenizer("a")["input_ids"]
        before = full.index(bare[0])
        ids = full[:before] + [i for piece in pieces for i in piece] + full[before + len(bare) :]
        hidden, start, found = self.states(ids), before, []
        for piece in pieces:
            found.append(hidden[:, start : start + len(piece)].mean(axis=1))
            start += len(piece)
        return found


def test_sentences_are_as_one_at_a_time(reader, folder):
    slow = OneAtATime(folder)
    found = reader.sentences(TEXTS, LANG)
    assert found.vectors.shape == (3, len(TEXTS), 32)
    assert found.vectors.dtype == np.float32
    for i, text in enumerate(TEXTS):
        assert found.vectors[:, i] == pytest.approx(slow.sentence(text), abs=1e-5), text
    assert np.abs(np.diff(found.vectors, axis=0)).max() > 0.01, "layers differ"


def test_subwords_are_counted(reader, folder):
    slow = OneAtATime(folder)
    texts = ["a bird", "ж б", "c" * 100]
    found = reader.sentences(texts, LANG)
    ids = [slow.tokenizer(text, add_special_tokens=False)["input_ids"] for text in texts]
    assert found.n_subwords == sum(map(len, ids))
    assert found.n_unknown == sum(one.count(slow.tokenizer.unk_token_id) for one in ids) > 0
    assert found.n_cut == 1


def test_a_long_text_is_read_from_its_beginning(reader, folder):
    long = "ab " * 100
    slow = OneAtATime(folder)
    ids = slow.tokenizer(long)["input_ids"]
    n_special = len(ids) - len(slow.tokenizer(long, add_special_tokens=False)["input_ids"])
    room = reader.inputs.max_length - n_special
    cut = ids[: 1 + room] + ids[-1:]
    assert reader.inputs.max_length <= POSITIONS + 2 and len(cut) == reader.inputs.max_length
    expected = slow.states(cut)[:, 1:-1].mean(axis=1)
    assert reader.sentences([long], LANG).vectors[:, 0] == pytest.approx(expected, abs=1e-5)


def test_words_are_as_one_sentence_at_a_time(reader, folder):
    slow = OneAtATime(folder)
    sentences = [["A", "bird", "sings", "!"], [], ["x"], ["two", "little", "dogs", "and", "cats"]]
    found = {}
    for states in reader.words(sentences, LANG):
        for place, word in enumerate(states.words):
            assert (states.sentence, word) not in found
            found[states.sentence, word] = states.vectors[:, place]
    assert sorted(found) == [(i, j) for i, words in enumerate(sentences) for j in range(len(words))]
    for i, words in enumerate(sentences):
        for j, expected in enumerate(slow.words(words) if words else []):
            assert found[i, j] == pytest.approx(expected, abs=1e-5), (i, j)


def test_every_word_of_a_long_sentence_comes_once(reader):
    words = [f"w{i}" for i in range(60)] + ["y" * 200]
    seen = [word for states in reader.words([words], LANG) for word in states.words]
    assert sorted(seen) == list(range(61))


def test_a_word_alone_is_a_text_of_one_word(reader):
    (states,) = reader.words([["sings"]], LANG)
    assert states.vectors[:, 0] == pytest.approx(reader.sentences(["sings"], LANG).vectors[:, 0], abs=1e-5)


def test_layers_can_be_chosen(folder):
    encoder = FoundEncoder("tiny", folder, "local folder")
    every = LayerReader(encoder).sentences(TEXTS, LANG).vectors
    some = LayerReader(encoder, layers=[2, 0])
    assert some.layers == [0, 2]
    assert some.sentences(TEXTS, LANG).vectors == pytest.approx(every[[0, 2]], abs=1e-6)


def test_an_unknown_layer_is_refused(folder):
    with pytest.raises(InputError, match=r"layer 3: the encoder has layers 0 \(embeddings\) to 2"):
        LayerReader(FoundEncoder("tiny", folder, "local folder"), layers=[0, 3])
    with pytest.raises(InputError, match="layer -1"):
        LayerReader(FoundEncoder("tiny", folder, "local folder"), layers=[-1])


def test_no_texts(reader):
    with pytest.raises(InputError, match="no texts"):
        reader.sentences([], LANG)


def test_a_language_that_has_to_be_told(tmp_path):
    reader = LayerReader(FoundEncoder("tiny", save_tiny("xlm-15", tmp_path / "xlm-15"), "local folder"))
    de, sw = (reader.sentences(TEXTS, lang).vectors for lang in ("deu", "sw"))
    assert np.abs(de - sw).max() > 0.01
    for lang in (None, "hau"):
        with pytest.raises(InputError, match="it has de, en, sw|one of de, en, sw"):
            reader.sentences(TEXTS, lang)
