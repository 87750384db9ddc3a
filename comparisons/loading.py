"""Loading an encoder's tokenizer and weights from its folder, with checks of what goes wrong without a word."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer, PreTrainedModel
from transformers.utils import logging as transformers_logging

from comparisons.encoders import FoundEncoder
from xlembed.errors import InputError

_FAILURES = (OSError, ValueError, KeyError, RuntimeError, TypeError, ImportError)  # of a damaged or foreign folder


def load_tokenizer(encoder: FoundEncoder) -> Any:
    """The tokenizer of an encoder. Raises InputError where it lacks, or lower-cases for a vocabulary that is cased."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder.folder)
    except _FAILURES as err:
        raise _unusable(encoder.folder, err) from None
    check_casing(tokenizer, encoder.folder)
    return tokenizer


def load_model(encoder: FoundEncoder, auto_class: Any, **options: Any) -> PreTrainedModel:
    """The weights in float32 under a head, by one of transformers' Auto classes; InputError where they do not fit."""
    transformers_logging.set_verbosity_error()  # its load report lists the new head as "missing"
    transformers_logging.disable_progress_bar()
    try:
        return auto_class.from_pretrained(encoder.folder, dtype=torch.float32, **options)
    except _FAILURES as err:
        raise _unusable(encoder.folder, err) from None


def load_config(encoder: FoundEncoder) -> Any:
    """What config.json says. Raises InputError where it is none of an encoder that transformers knows."""
    try:
        return AutoConfig.from_pretrained(encoder.folder)
    except _FAILURES as err:
        raise _unusable(encoder.folder, err) from None


def check_casing(tokenizer: Any, folder: Path) -> None:
    """Raise InputError where the tokenizer lower-cases although whole words in its vocabulary have capitals.

    Such a pair runs and is worse, most of all at names: the mistake of taking a cased BERT with do_lower_case.
    """
    if not lower_cases(tokenizer):
        return
    special = set(tokenizer.all_special_tokens)
    n_cased = sum(token != token.lower() for token in tokenizer.get_vocab() if token not in special)
    if n_cased > len(tokenizer) // 20:  # uncased vocabularies have a few special tokens and symbols
        raise InputError(f"{folder}: the tokenizer lower-cases, but {n_cased} entries of its vocabulary have capitals: "
                         "set do_lower_case to false in tokenizer_config.json")


def lower_cases(tokenizer: Any) -> bool:
    """Whether capitals are lost."""
    upper, lower = (tokenizer(text, add_special_tokens=False)["input_ids"] for text in ("ABE", "abe"))
    return upper == lower and any(piece != tokenizer.unk_token_id for piece in upper)


def _unusable(folder: Path, err: Exception) -> InputError:
    reason = " ".join(str(err).split())[:200]
    return InputError(f"{folder}: cannot be loaded as an encoder ({reason})")
