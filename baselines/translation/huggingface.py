"""Translation by neural models through transformers, from a folder or the Hugging Face hub.

Marian (Junczys-Dowmunt et al. 2018; OPUS-MT), M2M100 (Fan et al. 2021), NLLB-200 (NLLB Team 2022). Weights are read
from safetensors alone, and no code that a model brings is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property, partial
from pathlib import Path
from typing import Any, TypeVar

from baselines.translation.codes import codes_of
from baselines.translation.model_folder import check_model_folder, check_sizes, unusable
from xlembed.errors import InputError, at, require
from xlembed.files import read_json, sha256_of
from xlembed.progress import progress, say
from xlembed.snapshots import commit_of, is_fixed, snapshot, split_revision

EXTRA = "contextual"
T = TypeVar("T")
ARCHITECTURES = ("marian", "m2m_100")  # model types of config.json; NLLB-200 has M2M100's
_WEIGHTS = "*.safetensors"
_FILES = ("*.json", "*.txt", "*.model", "*.spm", _WEIGHTS)


@dataclass(frozen=True)
class HuggingFaceSettings:
    """`model` is a folder or a hub name (`revision`, or NAME@REVISION: one of its branches or commits). `beams` of 1 is
    greedy search.

    Texts are cut at what the model can read, translations at `max_length` subwords; how many were is said. `device`
    None: a GPU where there is one.
    """

    model: str
    revision: str | None = None
    beams: int = 4
    batch_size: int = 16
    max_length: int = 256
    device: str | None = None

    def __post_init__(self) -> None:
        if min(self.beams, self.batch_size, self.max_length) < 1:
            raise InputError("beams, batch_size and max_length must be at least 1")


@dataclass
class HuggingFaceTranslator:
    """One model for one pair of languages; loaded when the first text comes."""

    src: str
    trg: str
    folder: Path
    settings: HuggingFaceSettings
    _loaded: _Loaded | None = field(default=None, repr=False)

    def identity(self) -> dict[str, Any]:
        """Hashes of the model's files, how it is searched, and versions."""
        versions = {name: require(name, EXTRA).__version__ for name in ("torch", "transformers")}
        left_out = ("model", "revision", "device")  # the files say which model it is
        settings = {key: value for key, value in asdict(self.settings).items() if key not in left_out}
        return {"route": "huggingface", "src": self.src, "trg": self.trg, **settings, "versions": versions,
                "files": self._hashes}  # fmt: skip

    @cached_property
    def _hashes(self) -> dict[str, str]:
        return {path.name: sha256_of(path) for path in _files(self.folder)}

    def translate(self, texts: Sequence[str]) -> list[str]:
        """One translation a text, distinct texts once; a text of white space alone becomes ""."""
        distinct = list(dict.fromkeys(text for text in texts if text.strip()))
        found: dict[str, str] = {}
        if distinct:
            self._loaded = self._loaded or _load(self.folder, self.src, self.trg, self.settings.device)
            found = self._translated(distinct, self._loaded)
        return [found[text] if text.strip() else "" for text in texts]

    def _translated(self, texts: list[str], model: _Loaded) -> dict[str, str]:
        found: dict[str, str] = {}
        n_cut = n_unended = 0
        subwords = _use(self.folder, lambda: [model.tokenizer(model.prefix + text, verbose=False)["input_ids"]
                                              for text in texts])  # fmt: skip
        with progress(f"translating {self.src}-{self.trg}", len(texts)) as advance:
            for rows in _batches([len(ids) for ids in subwords], self.settings.batch_size):
                some = [texts[i] for i in rows]
                translated, unended = _use(self.folder, partial(model.generate, some, self.settings))
                found.update(zip((texts[i] for i in rows), translated, strict=True))
                n_cut += sum(len(subwords[i]) > model.positions for i in rows)
                n_unended += unended
                advance(len(rows))
        _tell("were cut", n_cut, len(texts), f"at the {model.positions} subwords that the model reads")
        _tell("have a translation cut", n_unended, len(texts), "at max_length: raise it")
        return found


@dataclass(frozen=True)
class _Loaded:
    """A model and its tokenizer, set to a pair of languages."""

    tokenizer: Any
    model: Any
    prefix: str  # ">>deu<< " for Marian models of several target languages
    forced: int | None  # the target language's token, where it begins the translation
    positions: int

    def generate(self, texts: list[str], settings: HuggingFaceSettings) -> tuple[list[str], int]:
        """Translations, and how many of them did not end within max_length."""
        torch = require("torch", EXTRA)
        batch = self.tokenizer([self.prefix + text for text in texts], padding=True, truncation=True,
                               max_length=self.positions, return_tensors="pt").to(self.model.device)  # fmt: skip
        longest = min(settings.max_length, self.positions - 1)
        forced = {} if self.forced is None else {"forced_bos_token_id": self.forced}
        with torch.inference_mode():
            # (n_texts, longest translation), padded after the end
            made = self.model.generate(**batch, num_beams=settings.beams, do_sample=False, max_new_tokens=longest,
                                       max_length=None, num_return_sequences=1, return_dict_in_generate=False,
                                       **forced)  # fmt: skip
        ended = (made[:, 1:] == self.tokenizer.eos_token_id).any(dim=1)
        decoded = self.tokenizer.batch_decode(made, skip_special_tokens=True)
        return [" ".join(text.split()) for text in decoded], int((~ended).sum())


def make(src: str, trg: str, settings: HuggingFaceSettings) -> HuggingFaceTranslator:
    """The translator of a pair; files are found (or fetched) and looked at here, weights are read later."""
    require("torch", EXTRA)
    require("transformers", EXTRA)
    folder = find_model(settings.model, settings.revision)
    _check_folder(folder, settings.model)
    return HuggingFaceTranslator(src, trg, folder, settings)


def find_model(name: str, revision: str | None = None) -> Path:
    """The folder of a model: `name` itself, else from the hub or its cache, `name` perhaps NAME@REVISION.

    Raises InputError that says what failed.
    """
    folder = Path(name).expanduser()
    if folder.is_dir():
        return folder
    if name.startswith((".", "/", "~")):
        raise InputError(f"{name}: no such folder")
    hub_name, named = split_revision(name)
    revision = revision or named
    found, why_not = snapshot(hub_name, _FILES, EXTRA, revision)
    if found is None:
        raise InputError(f"model {name!r} is neither a folder nor to be had from the hub ({why_not})")
    if not is_fixed(revision):
        say(f"{hub_name}: no commit is named, so another day may bring other weights: write "
            f"{hub_name}@{commit_of(found) or 'COMMIT'} to fix it")
    return found


def _check_folder(folder: Path, name: str) -> None:
    """Raise InputError unless it holds a model of a known architecture with safetensors weights."""
    if not (folder / "config.json").is_file():
        raise at(folder, None, "holds no config.json, so it is not a model's folder")
    about = read_json(folder / "config.json")
    kind = about.get("model_type") if isinstance(about, dict) else None
    if kind not in ARCHITECTURES:
        raise at(folder, None, f"holds a model of type {kind!r}: marian and m2m_100 (M2M100, NLLB-200) are read")
    check_model_folder(folder)
    if not any(folder.glob(_WEIGHTS)):
        raise at(folder, None, "holds no .safetensors weights, and pickled ones are not read: convert them once "
                 f"(AutoModelForSeq2SeqLM.from_pretrained({name!r}).save_pretrained(FOLDER), tokenizer likewise)")


def _files(folder: Path) -> Iterator[Path]:
    yield from sorted({path for pattern in _FILES for path in folder.glob(pattern)})


def _load(folder: Path, src: str, trg: str, device: str | None) -> _Loaded:
    torch, transformers = require("torch", EXTRA), require("transformers", EXTRA)
    transformers.utils.logging.disable_progress_bar()
    options = {"local_files_only": True, "trust_remote_code": False}
    tokenizer = _read(folder, lambda: transformers.AutoTokenizer.from_pretrained(folder, **options))
    prefix, forced = _languages(tokenizer, src, trg, folder)
    _read(folder, lambda: check_sizes(folder, transformers.AutoModelForSeq2SeqLM))
    model = _read(folder, lambda: transformers.AutoModelForSeq2SeqLM.from_pretrained(
        folder, use_safetensors=True, dtype=torch.float32, **options))  # fmt: skip
    device = device or ("cuda" if torch.cuda.is_available() else "cpu")
    positions = getattr(model.config, "max_position_embeddings", None)
    if not isinstance(positions, int) or positions < 2:
        raise at(folder / "config.json", None, f"max_position_embeddings = {positions!r}: 2 at least are needed")
    return _Loaded(tokenizer, model.to(device).eval(), prefix, forced, positions)


def _read(folder: Path, reading: Callable[[], Any]) -> Any:
    """What a function of transformers reads, or InputError: it raises whatever its parts raise on damaged files."""
    try:
        return reading()
    except ImportError as err:
        raise InputError(f"{folder}: {' '.join(str(err).split())[:150]}: pip install 'xlembed[{EXTRA}]'") from None
    except InputError:
        raise
    except BaseException as err:
        raise unusable(folder, "holds a damaged model", err) from None


def _use(folder: Path, using: Callable[[], T]) -> T:
    """What a model or its tokenizer makes of texts, or InputError: much of a folder's damage is seen there alone."""
    try:
        return using()
    except (MemoryError, require("torch", EXTRA).OutOfMemoryError):
        raise
    except BaseException as err:
        raise unusable(folder, "the model fails at these texts: fetch its folder again, or lower the batch size",
                       err) from None  # fmt: skip


def _languages(tokenizer: Any, src: str, trg: str, folder: Path) -> tuple[str, int | None]:
    """Set the tokenizer to the pair: a prefix of the texts (Marian), or the token that begins the translation."""
    if hasattr(tokenizer, "supported_language_codes"):
        return _marian_prefix(tokenizer.supported_language_codes, trg, folder), None
    is_m2m100 = hasattr(tokenizer, "get_lang_id")
    codes = [getattr(codes_of(lang), "m2m100" if is_m2m100 else "nllb") for lang in (src, trg)]
    tokens = [f"__{code}__" if is_m2m100 else code for code in codes]
    for lang, code, token in zip((src, trg), codes, tokens, strict=True):
        if code is None or tokenizer.convert_tokens_to_ids(token) in (None, tokenizer.unk_token_id):
            raise at(folder, None, f"the model does not know the language {lang}")
    tokenizer.src_lang = codes[0]
    return "", tokenizer.convert_tokens_to_ids(tokens[1])


def _marian_prefix(known: list[str], trg: str, folder: Path) -> str:
    """>>deu<<, or >>de<< in older models; nothing for a model of one target language."""
    if not known:
        return ""
    for code in (codes_of(trg).three, trg):
        if f">>{code}<<" in known:
            return f">>{code}<< "
    raise at(folder, None, f"the model translates into {' '.join(known)[:100]}, not into {trg}")


def _batches(lengths: list[int], size: int) -> Iterator[list[int]]:
    """Rows in batches of like length, the longest first: what does not fit into memory fails at once."""
    order = sorted(range(len(lengths)), key=lambda row: (-lengths[row], row))
    for start in range(0, len(order), size):
        yield order[start : start + size]


def _tell(what: str, n: int, total: int, where: str) -> None:
    if n:
        say(f"note: {n} of {total} texts {what} {where}")
