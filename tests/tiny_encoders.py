"""Small randomly initialised BERT, XLM and XLM-R checkpoints, saved as their real ones are."""

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
    XLMConfig,
    XLMModel,
    XLMRobertaConfig,
    XLMRobertaModel,
    XLMRobertaTokenizer,
    XLMTokenizer,
)

ARCHITECTURES = ("bert", "xlm", "xlm-roberta")
POSITIONS = 40  # few, so that long sentences need windows
_LETTERS = string.ascii_letters + string.digits + ".,;:?!'-ßäöüéèáñ"


def save_tiny(architecture: str, folder: Path) -> Path:
    """Write a checkpoint with its tokenizer and return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    transformers.utils.logging.set_verbosity_error()
    tokenizer, model = {"bert": _bert, "xlm": _xlm, "xlm-roberta": _xlm_roberta}[architecture](folder)
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


def _xlm(folder: Path):
    special = ["<s>", "</s>", "<pad>", "<unk>", *[f"<special{i}>" for i in range(10)]]
    vocab = {token: i for i, token in enumerate(special + [c + e for c in _LETTERS for e in ("", "</w>")])}
    (folder / "vocab.json").write_text(json.dumps(vocab))
    (folder / "merges.txt").write_text("#version: 0.2\n")
    tokenizer = XLMTokenizer(str(folder / "vocab.json"), str(folder / "merges.txt"),
                             do_lowercase_and_remove_accent=False)  # fmt: skip
    _seeded()
    config = XLMConfig(
        vocab_size=len(vocab), emb_dim=32, n_layers=2, n_heads=2, max_position_embeddings=POSITIONS,
        bos_index=0, eos_index=1, pad_index=2, unk_index=3, n_langs=1, use_lang_emb=False,
    )  # fmt: skip
    return tokenizer, XLMModel(config)


def _xlm_roberta(folder: Path):
    pieces = ["<s>", "<pad>", "</s>", "<unk>", "▁", *_LETTERS, *[f"▁{c}" for c in _LETTERS], "<mask>"]
    tokenizer = XLMRobertaTokenizer(vocab=[(piece, -float(i)) for i, piece in enumerate(pieces)])
    _seeded()
    config = XLMRobertaConfig(
        vocab_size=len(pieces), hidden_size=32, num_hidden_layers=2, num_attention_heads=2, intermediate_size=64,
        max_position_embeddings=POSITIONS + 2, type_vocab_size=1, pad_token_id=1, bos_token_id=0, eos_token_id=2,
    )  # fmt: skip
    return tokenizer, XLMRobertaModel(config)
