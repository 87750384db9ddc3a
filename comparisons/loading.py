"""Loading an encoder's tokenizer and weights from its folder, with checks of what goes wrong without a word.

Code that comes with a model is never run, and pickled weights are not read: a folder is data.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoTokenizer
from transformers.utils import logging as transformers_logging

from comparisons.encoders import FoundEncoder
from xlembed.errors import InputError, at
from xlembed.files import read_json

_MOST = {"layers": 1000, "labels": 100_000}  # of what is made one by one; greater matrices do not fit their weights


def load_tokenizer(encoder: FoundEncoder) -> Any:
    """The tokenizer of an encoder. Raises InputError where it lacks, or lower-cases for a vocabulary that is cased."""
    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder.folder, trust_remote_code=False)
    except Exception as err:  # transformers raises whatever its parts do on a damaged or foreign folder
        raise _unusable(encoder.folder, err) from None
    check_casing(tokenizer, encoder.folder)
    return tokenizer


def load_model(encoder: FoundEncoder, auto_class: Any, **options: Any) -> Any:
    """The weights in float32 under a head, by one of transformers' Auto classes; InputError where they do not fit."""
    transformers_logging.set_verbosity_error()  # its load report lists the new head as "missing"
    transformers_logging.disable_progress_bar()
    _check_counts(encoder.folder / "config.json")
    if not any(encoder.folder.glob("*.safetensors")):
        raise InputError(f"{encoder.folder}: cannot be loaded as an encoder (holds no .safetensors weights, and "
                         "pickled ones are not read, for they can run code: convert them once, "
                         "AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER))")  # fmt: skip
    try:
        model, info = auto_class.from_pretrained(encoder.folder, dtype=torch.float32, trust_remote_code=False,
                                                 use_safetensors=True, **options | {"output_loading_info": True})
    except Exception as err:  # transformers raises whatever its parts do on a damaged or foreign folder
        raise _unusable(encoder.folder, err) from None
    _check_weights(model, info["missing_keys"], encoder.folder)
    return (model, info) if options.get("output_loading_info") else model


def _check_weights(model: Any, missing: Iterable[str], folder: Path) -> None:
    """Raise InputError where weights of the encoder itself lack: transformers would take random numbers for them."""
    is_bare = model.base_model is model
    own = sorted(name for name in missing
                 if "pooler" not in name and (is_bare or name.startswith(f"{model.base_model_prefix}.")))  # fmt: skip
    if own:
        raise InputError(f"{folder}: its weights lack {len(own)} tensors of the encoder (the first: {own[0]}): the "
                         "file is cut or belongs to another config.json; fetch the folder again")  # fmt: skip


def load_config(encoder: FoundEncoder) -> Any:
    """What config.json says. Raises InputError where it is none of an encoder that transformers knows."""
    _check_counts(encoder.folder / "config.json")
    try:
        return AutoConfig.from_pretrained(encoder.folder, trust_remote_code=False)
    except Exception as err:  # transformers raises whatever its parts do on a damaged or foreign folder
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


def _check_counts(path: Path) -> None:
    """Raise InputError where a configuration asks for parts without number: they would be made until memory is full."""
    waiting = [read_json(path)]
    while waiting:
        about = waiting.pop()
        for key, value in about.items() if isinstance(about, dict) else ():
            most = min((most for part, most in _MOST.items() if part in key), default=None)
            if most is not None and isinstance(value, (int, float)) and value > most:
                raise at(path, None, f"{key} = {value}, {most} at most are read")
            waiting.append(value)


def _unusable(folder: Path, err: Exception) -> InputError:
    reason = " ".join(str(err).split())[:200]
    return InputError(f"{folder}: cannot be loaded as an encoder ({reason})")
