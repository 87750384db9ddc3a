"""What a folder of transformers' may not bring: its loaders obey the folder in more ways than weights and sizes.

They would put a peft adapter into the model (pickled, if it likes), follow an index of parts to files that are pickled
or elsewhere, and fetch and run a kernel that a configuration names as its attention.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from xlembed.errors import InputError, at, require
from xlembed.files import read_json

_MOST = {"layers": 1000, "labels": 100_000, "position": 200_000}  # of what is made one by one
_BESIDE = 50_000_000  # numbers of heads, which the weights of an encoder do not hold
_KERNELS = ("attn_implementation", "experts_implementation")  # ends of the keys that may name one of the hub
_INDEX = "model.safetensors.index.json"


def check_model_folder(folder: Path) -> None:
    """Raise InputError where a model's folder asks for parts without number, code, or files that are no safetensors.

    config.json is read, and the index of weights in parts where there is one; weights are not.
    """
    if (folder / "adapter_config.json").exists():
        raise at(folder, None, "holds adapter_config.json, which would change the model: merge the adapter into its "
                 "weights (peft's merge_and_unload), or remove it")  # fmt: skip
    _check_config(folder / "config.json")
    if (folder / _INDEX).is_file() and not (folder / "model.safetensors").is_file():
        _check_index(folder / _INDEX)


def check_sizes(folder: Path, auto_class: Any) -> None:
    """Raise InputError where config.json asks for far more numbers than the weights hold, before memory is taken.

    transformers makes all that a configuration asks for, and then looks whether the weights have those sizes. Here the
    model is made without memory. `auto_class` is one of its Auto classes; raises also whatever transformers raises.
    """
    torch, transformers = require("torch", "contextual"), require("transformers", "contextual")
    config = transformers.AutoConfig.from_pretrained(folder, trust_remote_code=False, local_files_only=True)
    with torch.random.fork_rng(devices=[]), torch.device("meta"):
        model = auto_class.from_config(config, trust_remote_code=False)
    wanted, found = sum(p.numel() for p in model.parameters()), _n_stored(folder)
    if wanted > 2 * found + _BESIDE:
        raise at(folder, None, f"config.json asks for {wanted:,} numbers, the weights have {found:,}: they are of "
                 "different models, fetch the folder again")  # fmt: skip


def _n_stored(folder: Path) -> int:
    """Numbers in all weights of a folder, by their headers."""
    safetensors, n = require("safetensors", "contextual"), 0
    for path in folder.glob("*.safetensors"):
        with safetensors.safe_open(path, framework="np") as file:
            n += sum(math.prod(file.get_slice(name).get_shape()) for name in file.keys())  # noqa: SIM118
    return n


def unusable(folder: Path, what: str, err: BaseException) -> InputError:
    """For whatever transformers and its parts raise on a damaged or foreign folder; `what` begins the message.

    Raises the exception itself where it asks the program to end: a panic of the tokenizers' Rust is no Exception.
    """
    if not isinstance(err, Exception) and type(err).__name__ != "PanicException":
        raise err
    return at(folder, None, f"{what} ({' '.join(str(err).split())[:200] or type(err).__name__})")


def _check_config(path: Path) -> None:
    about = read_json(path)
    if not isinstance(about, dict):
        raise at(path, None, "is not a model's configuration: a JSON object is needed")
    for key, value in _items(about):
        most = min((most for part, most in _MOST.items() if part in key), default=None)
        if most is not None and isinstance(value, (int, float)) and value > most:
            raise at(path, None, f"{key} = {value}, {most} at most are read")
        if key.endswith(_KERNELS) and "/" in str(value):
            raise at(path, None, f"{key} = {str(value)[:80]!r} is code from the hub, which is not run: remove the key")
        if key == "transformers_weights" and not (isinstance(value, str) and _is_part(value)):
            raise at(path, None, f"{key} = {str(value)[:80]!r}: a .safetensors file of the folder is needed")


def _items(about: dict[str, Any]) -> Iterator[tuple[str, Any]]:
    """Keys and values of an object and of all objects in it."""
    waiting: list[Any] = [about]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            yield from one.items()
        waiting += one.values() if isinstance(one, dict) else one if isinstance(one, list) else []


def _check_index(path: Path) -> None:
    index = read_json(path)
    parts = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(parts, dict) or not parts:
        raise at(path, None, "names no weights: fetch the folder again")
    beside = {other.name for other in path.parent.iterdir() if other.is_file()}
    for part in parts.values():
        if not (isinstance(part, str) and _is_part(part) and part in beside):
            raise at(path, None, f"names {str(part)[:80]!r}: only .safetensors files that lie beside it are read")


def _is_part(name: str) -> bool:
    return name.endswith(".safetensors") and not set(name) & set("/\\\0")
