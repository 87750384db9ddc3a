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

from baselines.translation.model_folder import check_model_folder, check_sizes, unusable
from comparisons.encoder_languages import EncoderLanguages
from comparisons.encoders import FoundEncoder
from comparisons.subwords import PairTemplate, WordEncoder
from xlembed.errors import InputError, at

_TRIED = ("a", "B", "\u00e9", "\u65e5\u672c", "\u0915", "a b", "\x01")  # words that a tokenizer is tried with


def load_tokenizer(encoder: FoundEncoder) -> Any:
    """The tokenizer of an encoder. Raises InputError where it lacks, fails at plain words, or lower-cases for a
    vocabulary that is cased."""
    check_model_folder(encoder.folder)
    try:
        tokenizer = AutoTokenizer.from_pretrained(encoder.folder, trust_remote_code=False)
        _try_tokenizer(tokenizer)
    except BaseException as err:
        raise _unusable(encoder.folder, err) from None
    check_casing(tokenizer, encoder.folder)
    return tokenizer


def _try_tokenizer(tokenizer: Any) -> None:
    """Raise whatever comes where words or pairs cannot be encoded: half a damage is seen at the first text alone."""
    pieces = WordEncoder(tokenizer)(_TRIED)
    template = PairTemplate.of(tokenizer)
    ids = [one for part in (*pieces, template.before, template.between, template.after) for one in part]
    if not all(isinstance(one, int) and one >= 0 for one in ids):
        raise ValueError("the tokenizer has no unknown token, and no other for some words")


def load_model(encoder: FoundEncoder, auto_class: Any, **options: Any) -> Any:
    """The weights in float32 under a head, by one of transformers' Auto classes; InputError where they do not fit."""
    transformers_logging.set_verbosity_error()  # its load report lists the new head as "missing"
    transformers_logging.disable_progress_bar()
    check_model_folder(encoder.folder)
    if not any(encoder.folder.glob("*.safetensors")):
        raise InputError(f"{encoder.folder}: cannot be loaded as an encoder (holds no .safetensors weights, and "
                         "pickled ones are not read, for they can run code: convert them once, "
                         "AutoModel.from_pretrained(FOLDER).save_pretrained(FOLDER))")  # fmt: skip
    try:
        check_sizes(encoder.folder, auto_class)
        model, info = auto_class.from_pretrained(encoder.folder, dtype=torch.float32, trust_remote_code=False,
                                                 use_safetensors=True, **options | {"output_loading_info": True})
        _check_weights(model, info["missing_keys"], encoder.folder)
        _try_model(model)
    except InputError as err:
        raise err if str(encoder.folder) in str(err) else at(encoder.folder, None, str(err)) from None
    except BaseException as err:
        raise _unusable(encoder.folder, err) from None
    return (model, info) if options.get("output_loading_info") else model


@torch.inference_mode()
def _try_model(model: Any) -> None:
    """Raise whatever comes where the encoder cannot read two subwords: a configuration may promise what it likes."""
    ids = torch.zeros(1, 2, dtype=torch.long)
    key = EncoderLanguages(model.config).key
    found = model(input_ids=ids, attention_mask=torch.ones_like(ids), **({} if key is None else {key: ids}))
    states = found.logits if hasattr(found, "logits") else found.last_hidden_state  # (1, 2, hidden) or (1, n_labels)
    if not bool(states.isfinite().all()):
        raise ValueError("its weights make numbers that are not finite: fetch the folder again")


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
    check_model_folder(encoder.folder)
    try:
        return AutoConfig.from_pretrained(encoder.folder, trust_remote_code=False)
    except BaseException as err:
        raise _unusable(encoder.folder, err) from None


def check_vocabulary(tokenizer: Any, model: Any, folder: Path) -> None:
    """Raise InputError where the tokenizer gives ids that the encoder has no embedding of: it is another encoder's."""
    n_embeddings = model.get_input_embeddings().num_embeddings
    most = max(tokenizer.get_vocab().values(), default=-1)
    if most >= n_embeddings:
        raise at(folder, None, f"the tokenizer has a subword of number {most}, the weights have {n_embeddings} "
                 "embeddings: tokenizer and weights are of different encoders")  # fmt: skip


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


def _unusable(folder: Path, err: BaseException) -> InputError:
    return unusable(folder, "cannot be loaded as an encoder", err)
