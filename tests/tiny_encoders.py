"""Small randomly initialised BERT, XLM, XLM-R, X-MOD and DeBERTa checkpoints, saved as their real ones are."""

from __future__ import annotations

import json
import string
from pathlib import Path

import torch
import transformers
from transformers import (
    BertConfig,
    BertModel,
    BertTokenizer,
    DebertaV2Config,
    DebertaV2Model,
    XLMConfig,
    XLMModel,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaTokenizer,
    XLMTokenizer,
    XmodConfig,
    XmodModel,
)

ARCHITECTURES = ("bert", "xlm", "xlm-roberta", "xmod", "deberta")
POSITIONS = 40  # few, so that long sentences need windows
_LETTERS = string.ascii_letters + string.digits + ".,;:?!'-ßäöüéèáñ"


def save_tiny(architecture: str, folder: Path) -> Path:
    """Write a checkpoint with its tokenizer and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    transformers.utils.logging.set_verbosity_error()
    make = {"bert": _bert, "xlm": _xlm, "xlm-15": _xlm_15, "xlm-roberta": _xlm_roberta, "xmod": _xmod,
            "deberta": _deberta}  # fmt: skip
    tokenizer, model = make[architecture](folder)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    return folder


def _seeded() -> None:
    torch.manual_seed(0)


def _bert(folder: Path):
    words = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    vocab = {token: i for i, token in enumerate(words + list(_LETTERS) + [f"##{c}" for c in _LETTERS])}
    tokenizer = BertTokenizer(vocab=vocab, do_lower_case=False)
    _seeded()
    config = BertConfig(
        vocab_size=len(vocab), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=POSITIONS, pad_token_id=0,
    )  # fmt: skip
    return tokenizer, BertModel(config)


def _xlm_15(folder: Path):
    """XLM with embeddings of languages."""
    return _xlm(folder, n_langs=3, use_lang_emb=True, lang2id={"de": 0, "en": 1, "sw": 2})


def _xlm(folder: Path, **languages):
    special = ["<s>", "</s>", "<pad>", "<unk>", *[f"<special{i}>" for i in range(10)]]
    vocab = {token: i for i, token in enumerate(special + [c + e for c in _LETTERS for e in ("", "</w>")])}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = XLMTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"),
                             do_lowercase_and_remove_accent=False)  # fmt: skip
    _seeded()
    config = XLMConfig(
        vocab_size=len(vocab), emb_dim=32, n_layers=2, n_heads=2, max_position_embeddings=POSITIONS,
        bos_index=0, eos_index=1, pad_index=2, unk_index=3,
        **languages or {"n_langs": 1, "use_lang_emb": False},
    )  # fmt: skip
    return tokenizer, XLMModel(config)


def _pieces():
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *_LETTERS, *[f"▁{c}" for c in _LETTERS], "<mask>"]
    return XLMRobertaTokenizer(vocab=[(piece, -float(i)) for i, piece in enumerate(pieces)]), len(pieces)


def _sizes(n_words: int) -> dict:
    return dict(vocab_size=n_words, hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
                pad_token_id=1)  # fmt: skip


def _xlm_roberta(folder: Path):
    tokenizer, n_words = _pieces()
    _seeded()
    config = XLMRobertaConfig(**_sizes(n_words), max_position_embeddings=POSITIONS + 2, type_vocab_size=1)
    return tokenizer, XLMRobertaModel(config)


def _xmod(folder: Path):
    """X-MOD with random modules of three languages, told apart by more than their first weights."""
    tokenizer, n_words = _pieces()
    _seeded()
    config = XmodConfig(**_sizes(n_words), max_position_embeddings=POSITIONS + 2, type_vocab_size=1,
                        languages=["en_XX", "de_DE", "sw_KE"])  # fmt: skip
    model = XmodModel(config)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            if "adapter_modules" in name:
                parameter.normal_(std=0.3)
    return tokenizer, model


def _deberta(folder: Path):
    tokenizer, n_words = _pieces()
    _seeded()
    config = DebertaV2Config(**_sizes(n_words), max_position_embeddings=POSITIONS, type_vocab_size=0,
                             relative_attention=True, position_buckets=16, norm_rel_ebd="layer_norm",
                             share_att_key=True, pos_att_type=["p2c", "c2p"], position_biased_input=False)  # fmt: skip
    return tokenizer, DebertaV2Model(config)
