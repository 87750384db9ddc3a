"""Small randomly initialised Marian, M2M100 and NLLB checkpoints, saved as their real ones are."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import sentencepiece
import torch
import transformers
from transformers import (
    M2M100Config,
    M2M100ForConditionalGeneration,
    M2M100Tokenizer,
    MarianConfig,
    MarianMTModel,
    MarianTokenizer,
    NllbTokenizer,
)

ARCHITECTURES = ("marian", "m2m100", "nllb")
POSITIONS = 64
TEXTS = (
    "the black cat sleeps on the old chair", "a small boat comes back to the harbour in the morning",
    "die schwarze katze schläft auf dem alten stuhl", "am morgen kommt ein kleines boot in den hafen zurück",
    "nobody knows where the letters went", "niemand weiß wohin die briefe gekommen sind",
)  # fmt: skip


@dataclass(frozen=True)
class Size:
    """How small a checkpoint is."""

    texts: tuple[str, ...] = TEXTS  # of which its pieces are made
    pieces: int = 60
    normalization: str = "nmt_nfkc"
    hidden: int = 16
    heads: int = 2
    inner: int = 32
    positions: int = POSITIONS


def save_tiny_translator(
    architecture: str, folder: Path, targets: tuple[str, ...] = (), size: Size = Size()
) -> Path:
    """Write a checkpoint with its tokenizer and return the folder; `targets`: Marian's codes, as >>deu<<."""
    folder.mkdir(parents=True, exist_ok=True)
    transformers.utils.logging.set_verbosity_error()
    pieces = _train_pieces(folder, size)
    if architecture == "marian":
        tokenizer, model = _marian(folder, pieces, targets, size)
    else:
        tokenizer, model = {"m2m100": _m2m100, "nllb": _nllb}[architecture](folder, pieces, size)
    tokenizer.save_pretrained(folder)
    model.save_pretrained(folder)
    for name in ("tiny.model", "tiny.vocab"):
        (folder / name).unlink()
    return folder


def _train_pieces(folder: Path, size: Size) -> list[str]:
    """A unigram model of our own sentences; returns its pieces, special ones left out."""
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(size.texts), model_prefix=str(folder / "tiny"), vocab_size=size.pieces,
        hard_vocab_limit=False, minloglevel=2, normalization_rule_name=size.normalization,
    )  # fmt: skip
    model = sentencepiece.SentencePieceProcessor(model_file=str(folder / "tiny.model"))
    return [model.id_to_piece(i) for i in range(3, model.get_piece_size())]


def _marian(folder: Path, pieces: list[str], targets: tuple[str, ...], size: Size):
    words = ["</s>", "<unk>", *targets, *pieces, "<pad>"]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    for name in ("source.spm", "target.spm"):
        (folder / name).write_bytes((folder / "tiny.model").read_bytes())
    tokenizer = MarianTokenizer(str(folder / "source.spm"), str(folder / "target.spm"), str(folder / "vocab.json"),
                                source_lang="en", target_lang="de", model_max_length=size.positions)  # fmt: skip
    torch.manual_seed(0)
    pad = len(words) - 1
    model = MarianMTModel(MarianConfig(
        vocab_size=len(words), pad_token_id=pad, eos_token_id=0, decoder_start_token_id=pad, forced_eos_token_id=None,
        bad_words_ids=None, **_sizes(size),
    ))  # fmt: skip
    return tokenizer, model


def _m2m100(folder: Path, pieces: list[str], size: Size):
    words = ["<s>", "<pad>", "</s>", "<unk>", *pieces]
    (folder / "vocab.json").write_text(json.dumps({word: i for i, word in enumerate(words)}))
    tokenizer = M2M100Tokenizer(str(folder / "vocab.json"), str(folder / "tiny.model"), src_lang="en", tgt_lang="de")
    return tokenizer, _m2m100_model(len(words) + 100, size)  # its language codes follow the words


def _nllb(folder: Path, pieces: list[str], size: Size):
    letters = sorted({letter for piece in pieces for letter in piece})
    vocab = {word: i for i, word in enumerate(["<s>", "<pad>", "</s>", "<unk>", *letters])}
    tokenizer = NllbTokenizer(vocab=vocab, merges=[], src_lang="eng_Latn", tgt_lang="deu_Latn")
    model = _m2m100_model(len(tokenizer), size)
    with torch.no_grad():  # else most of what it says are codes of languages
        model.model.shared.weight[len(vocab) :] *= 0.2
    return tokenizer, model


def _m2m100_model(n_words: int, size: Size):
    torch.manual_seed(0)
    return M2M100ForConditionalGeneration(M2M100Config(vocab_size=n_words + 8, **_sizes(size)))


def _sizes(size: Size) -> dict[str, float]:
    return {"d_model": size.hidden, "encoder_layers": 1, "decoder_layers": 1, "encoder_attention_heads": size.heads,
            "decoder_attention_heads": size.heads, "encoder_ffn_dim": size.inner, "decoder_ffn_dim": size.inner,
            "max_position_embeddings": size.positions, "init_std": 1.0}  # fmt: skip
