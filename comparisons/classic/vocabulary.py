"""Subword vocabularies of small encoders: WordPiece trained on the texts at hand, over words that spaces separate."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from comparisons.classic.fake import shifted
from xlembed.errors import require

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
_INSIDE = "##"  # begins a piece that does not begin a word


def train_pieces(sentences: Iterable[Sequence[str]], n: int) -> list[str]:
    """About n pieces of WordPiece, without special tokens, in the order in which they were found."""
    tokenizers = require("tokenizers", "contextual")
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    trainer = tokenizers.trainers.WordPieceTrainer(
        vocab_size=n, special_tokens=list(SPECIAL), continuing_subword_prefix=_INSIDE, show_progress=False
    )
    tokenizer.train_from_iterator((" ".join(sentence) for sentence in sentences), trainer)
    pieces = sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])
    return [piece for piece, _ in pieces if piece not in SPECIAL]


def with_fake(pieces: Sequence[str]) -> list[str]:
    """The pieces, and behind them each in fake-English: id + len(pieces) is the same piece in the other language."""
    return [*pieces, *map(_fake_piece, pieces)]


def _fake_piece(piece: str) -> str:
    inside = piece.removeprefix(_INSIDE)
    return shifted(piece) if inside == piece or not inside else _INSIDE + shifted(inside)


def make_tokenizer(pieces: Sequence[str]) -> Any:
    """A tokenizer of transformers over special tokens and pieces, for words that spaces separate."""
    tokenizers, transformers = require("tokenizers", "contextual"), require("transformers", "contextual")
    vocabulary = {piece: i for i, piece in enumerate([*SPECIAL, *pieces])}
    tokenizer = tokenizers.Tokenizer(tokenizers.models.WordPiece(vocabulary, unk_token="[UNK]"))
    tokenizer.pre_tokenizer = tokenizers.pre_tokenizers.WhitespaceSplit()
    tokenizer.decoder = tokenizers.decoders.WordPiece(prefix=_INSIDE)
    tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[(token, SPECIAL.index(token)) for token in ("[CLS]", "[SEP]")],
    )  # fmt: skip
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]", sep_token="[SEP]",
        mask_token="[MASK]",
    )  # fmt: skip
