"""What a command needs of the machine's memory, told before it starts, and refused where it cannot be had.

Sizes are reckoned from the files' headers. A need is a list of phases, each of named parts; what counts is the phase
that needs most. `benchmarks/memory.py` measures the same commands; docs/scale.md has the multiples.
"""

from __future__ import annotations

import os
import struct
from collections.abc import Callable, Iterable, Sequence
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path

from xlembed.errors import InputError
from xlembed.files import numbered_lines, open_binary
from xlembed.progress import say
from xlembed.tuning import n_cores

GB = 10**9
TOLD_FROM = GB  # smaller needs are told with --verbose alone
PROGRAM = 300_000_000  # Python, numpy, torch's and numba's code, buffers
WORD = 90  # a word of 8 letters as a Python string, and its place in a list
INDEX = 60  # its place in a dictionary
_TEXT = (".vec", ".txt", ".vec.gz", ".txt.gz", ".vec.xz", ".txt.xz")
_PACKED_TEXT = 2.2  # a text file's size by that of its .gz or .xz
_CANDIDATES = 560  # bytes a word, a side and thread, while neighbours are searched (numba_search: 64 of 8, and more)
_NEIGHBORS = 200  # bytes a word of the neighbours found
_PAIR = 12  # bytes of a lexicon's line at the least
_FASTTEXT_MAGIC = struct.pack("<i", 793712314)

FEWER = "read fewer words with --n, or make .safetensors stores of the files (`xlembed vectors convert`)"

verbose: ContextVar[bool] = ContextVar("verbose", default=False)

Phase = dict[str, float]  # bytes by name


@dataclass(frozen=True)
class Size:
    """What a vector file holds, as far as its header says; of headerless files about so much."""

    n_words: int
    dim: int
    kind: str  # text, store, float16, int8, fasttext, word2vec, gensim
    file: int  # bytes

    @property
    def matrix(self) -> int:
        """Bytes as float32."""
        return 4 * self.n_words * self.dim

    @property
    def held(self) -> Phase:
        """What is held once the file is read. A mapped file's pages are the system's, to be taken back."""
        words = {"words": float(self.n_words * WORD)}
        if self.kind == "fasttext":
            return words | {"the model": float(self.file), "vectors": float(self.matrix)}
        return words if self.kind == "store" else words | {"vectors": float(self.matrix)}

    @property
    def read(self) -> Phase:
        """While it is read."""
        more = {"text": INDEX * self.n_words, "float16": self.matrix / 2, "int8": self.matrix / 4,
                "word2vec": self.matrix + INDEX * self.n_words, "gensim": self.matrix + INDEX * self.n_words,
                "store": 20 * self.n_words}.get(self.kind, 0)  # fmt: skip
        return self.held | {"reading": float(more)}


# ---- sizes from headers


def size_of(path: str | Path, n: int | None = None) -> Size | None:
    """The size of the first n words of a file; None where its header does not tell (its reader will say why)."""
    path = Path(path)
    name = path.name.lower()
    try:
        if name.endswith(_TEXT):
            found = _size_of_text(path)
        elif name.endswith(".safetensors"):
            found = _size_of_store(path)
        elif name.endswith(".bin"):
            found = _size_of_bin(path)
        elif name.endswith((".kv", ".model")):
            bytes_ = path.stat().st_size  # nothing but unpickling tells more
            found = Size(bytes_ // 1200, 300, "gensim", bytes_)
        else:
            return None
    except (InputError, OSError, ValueError, struct.error, ImportError):
        return None
    if found is None or n is None or n >= found.n_words:
        return found
    return Size(n, found.dim, found.kind, found.file)


def _size_of_text(path: Path) -> Size | None:
    lines = numbered_lines(path)
    first = next(lines, (1, ""))[1].rstrip(" ").split(" ")
    second = next(lines, (2, ""))[1]
    lines.close()
    size = path.stat().st_size
    if len(first) == 2 and all(field.isascii() and field.isdigit() for field in first):
        n_words, dim = int(first[0]), int(first[1])
        return Size(min(n_words, size), dim, "text", size)  # a false header is found out by the reader
    dim, length = len(first) - 1, len(second.encode()) + 1
    n_bytes = size * (1 if path.suffix.lower() not in (".gz", ".xz") else _PACKED_TEXT)
    return Size(int(n_bytes / max(length, 2 * dim + 2)) + 1, dim, "text", size) if dim > 0 else None


def _size_of_store(path: Path) -> Size | None:
    import safetensors

    try:
        with safetensors.safe_open(path, framework="numpy") as file:
            matrix = file.get_slice("matrix")
            shape, dtype = matrix.get_shape(), matrix.get_dtype()
    except safetensors.SafetensorError:
        return None
    kind = {"F32": "store", "F16": "float16", "I8": "int8"}.get(dtype)
    return Size(shape[0], shape[1], kind, path.stat().st_size) if kind and len(shape) == 2 else None


def _size_of_bin(path: Path) -> Size:
    size = path.stat().st_size
    with open_binary(path) as file:
        start = file.read(100)
    if not start.startswith(_FASTTEXT_MAGIC):
        n_words, dim = map(int, start.partition(b"\n")[0].split())
        return Size(min(n_words, size), dim, "word2vec", size)
    dim = struct.unpack_from("<i", start, 8)[0]
    n_words = struct.unpack_from("<3i", start, struct.calcsize("<2i12id"))[1]  # entries, words, labels
    return Size(min(n_words, size), dim, "fasttext", size)


# ---- phases of commands


def of_reading(*sizes: Size) -> list[Phase]:
    """Files read one after the other, and held."""
    return [_sum(*(one.held for one in sizes[:place]), sizes[place].read) for place in range(len(sizes))]


def of_converting(size: Size, out: str, dtype: str, n_steps: int) -> list[Phase]:
    """`vectors convert`: text goes through a file; two steps of normalisation at a time are held."""
    held = _without("vectors", size.held) if size.kind == "text" else size.held
    read = held | {"reading": INDEX * size.n_words} if size.kind == "text" else size.read
    written = {"float32": 0.0, "float16": size.matrix / 2, "int8": size.matrix / 4}.get(dtype, 0.0)
    if out.lower().endswith((".bin", ".kv")):  # gensim's copy, and what pickle makes of it
        written = float(2 * size.matrix)
    copies = {"normalised vectors": float(min(n_steps, 2) * size.matrix)}
    return [read, _sum(held, copies), _sum(held, {"normalised vectors": float(min(n_steps, 1) * size.matrix)},
                                           {"writing": written, "words as bytes": 20.0 * size.n_words})]  # fmt: skip


def of_neighbors(size: Size) -> list[Phase]:
    """`vectors neighbors` in one file: blocks of keys are made unit in turn."""
    return [size.read, _sum(size.held, {"index": INDEX * size.n_words, "blocks": 4 * 32_768 * 4 * size.dim})]


def of_one_space(src: Size, trg: Size, has_mapping: bool) -> list[Phase]:
    """Both files read and, with a mapping, normalised and mapped."""
    if not has_mapping:
        return of_reading(src, trg)
    both = _sum(src.held, trg.held)
    mapped = {"mapped vectors": float(src.matrix)}
    return [*of_reading(src, trg), _sum(both, {"normalised vectors": 2.0 * src.matrix}),
            _sum(both, mapped, {"normalised vectors": 2.0 * trg.matrix})]  # fmt: skip


def of_search(src: Size, trg: Size, has_mapping: bool, retrieval: str, keeps_others: bool, by_workers: bool
              ) -> list[Phase]:  # fmt: skip
    """`bli` and `lexicon induce`: one space, unit rows of it, and neighbours of all words on both sides.

    `keeps_others`: vectors as read and as mapped stay beside the unit rows while they are searched (`bli`).
    """
    read = _sum(src.held, trg.held)
    kept = _without("vectors", read)  # words, and a model that composes more of them
    mapped = {"mapped vectors": float(src.matrix + trg.matrix)} if has_mapping else {}
    units = {"unit vectors": float(src.matrix + trg.matrix)}
    before = _sum(read, mapped) if keeps_others or not has_mapping else _sum(kept, mapped)
    searching: Phase = {"neighbours": float(_NEIGHBORS * (src.n_words + trg.n_words))}
    if not by_workers and retrieval == "isf":
        searching |= {"search": 2.0 * max(src.matrix, trg.matrix)}  # in double precision
    elif not by_workers:
        copies = (src.matrix + trg.matrix) * (1 + 2 / max(1, src.dim))
        searching |= {"search": copies + _CANDIDATES * (src.n_words + n_cores() * trg.n_words)}
    beside = before if keeps_others else kept
    return [*of_one_space(src, trg, has_mapping), _sum(before, units), _sum(beside, units, searching)]


def of_aligning(src: Size, trg: Size, n_pairs: int = 0) -> list[Phase]:
    """`align`: both spaces normalised, and the seed lexicon's rows of both in single and double precision.

    Methods that search have a cut-off of their own, and need less for that than the normalising of large spaces does.
    """
    both = _sum(src.held, trg.held)
    pairs = min(n_pairs, max(src.n_words, trg.n_words)) * src.dim * 2 * (4 + 8)
    return [*of_reading(src, trg),
            _sum(both, {"normalised vectors": 2.0 * src.matrix}),
            _sum(both, {"normalised vectors": float(src.matrix + 2 * trg.matrix)}),
            _sum(both, {"normalised vectors": float(src.matrix + trg.matrix), "the lexicon's rows": float(pairs)})]


def n_pairs_of(lexicon: str | None, src: Size, trg: Size) -> int:
    """About how many pairs `align --lexicon` will find: at most those of a file, half the words where written alike."""
    if lexicon in (None, "identical"):
        return min(src.n_words, trg.n_words) // 2
    file = Path(str(lexicon))
    return file.stat().st_size // _PAIR if file.is_file() else 0


def of_hub(*sizes: Size) -> list[Phase]:
    """`hub`: all spaces read, and normalised one after the other."""
    read = _sum(*(size.held for size in sizes))
    total = float(sum(size.matrix for size in sizes) + max(size.matrix for size in sizes))
    return [*of_reading(*sizes), _sum(read, {"normalised vectors": total})]


def of_isometry(src: Size, trg: Size, words: int) -> list[Phase]:
    """`isometry`: both spaces whole and normalised; of the most frequent words some tables of edges beside."""
    return [*of_aligning(src, trg), _sum(src.held, trg.held, {"normalised vectors": float(src.matrix + trg.matrix)},
                                         {"search": 4.0 * words * (src.dim + _CANDIDATES)})]  # fmt: skip


def of_training(dim: int, bucket: int, maxn: int) -> list[Phase]:
    """`vectors train`: the n-gram buckets; the words' two matrices come on top, and are known when they are counted."""
    return [{"n-gram buckets": 4.0 * dim * (bucket if maxn else 0)}]


def _sum(*phases: Phase) -> Phase:
    total: Phase = {}
    for phase in phases:
        for name, size in phase.items():
            total[name] = total.get(name, 0.0) + size
    return total


def _without(name: str, phase: Phase) -> Phase:
    return {other: size for other, size in phase.items() if other != name}


# ---- telling


def peak(phases: Iterable[Phase]) -> Phase:
    """The phase that needs most."""
    return max(phases, key=lambda phase: sum(phase.values()))


def tell_of_files(
    paths: Sequence[str | Path], n: int | None, phases: Callable[..., list[Phase]], remedy: str = FEWER
) -> None:
    """`tell` of the phases that files of these sizes have; nothing where a file's header does not say its size."""
    sizes = [size_of(path, n) for path in paths]
    if None not in sizes:
        tell(phases(*sizes), remedy)


def tell(phases: list[Phase], remedy: str) -> None:
    """Say on standard error what a command needs, where it is much or more than is free.

    Raises InputError where it is more than this process can ever have. `remedy` says what to do then.
    """
    most_needed = peak(phases)
    needed = int(sum(most_needed.values())) + PROGRAM
    parts = [f"{name} {_text(size)}" for name, size in sorted(most_needed.items(), key=lambda part: -part[1])
             if size >= needed / 100]  # fmt: skip
    about = f"needs about {_text(needed)} of memory: {', '.join([*parts, f'the program {_text(PROGRAM)}'])}"
    free, most = free_memory(), most_memory()
    if most is not None and needed > most:
        raise InputError(f"{about}; at most {_text(most)} can be had here: {remedy}")
    if free is not None and needed > free:
        say(f"warning: {about}; {_text(free)} are free: {remedy}")
    elif needed >= TOLD_FROM or verbose.get():
        say(about)


def _text(size: float) -> str:
    return f"{size / GB:.1f} GB" if size >= 0.095 * GB else f"{size / 1e6:.0f} MB"


# ---- what there is


def free_memory() -> int | None:
    """Bytes that this process may still take: by the system, its control groups and its own limit; None if unknown."""
    return _least(_meminfo("MemAvailable"), *_groups_free(), _limit_free())


def most_memory() -> int | None:
    """Bytes that this process could have if nothing else ran; None if unknown."""
    ram, swap = _meminfo("MemTotal"), _meminfo("SwapTotal")
    return _least(None if ram is None else ram + (swap or 0), *_groups_most(), _limit())


def _least(*sizes: int | None) -> int | None:
    return min((size for size in sizes if size is not None), default=None)


def _meminfo(name: str) -> int | None:
    try:
        for line in Path("/proc/meminfo").read_text().splitlines():
            if line.startswith(f"{name}:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    pages = {"MemAvailable": "SC_AVPHYS_PAGES", "MemTotal": "SC_PHYS_PAGES"}.get(name)
    try:
        return os.sysconf(pages) * os.sysconf("SC_PAGE_SIZE") if pages else None
    except (ValueError, OSError):
        return None


def _group_folders() -> list[Path]:
    """This process's memory control group and those above it, of version 2 or 1."""
    root = Path("/sys/fs/cgroup")
    try:
        lines = Path("/proc/self/cgroup").read_text().splitlines()
    except OSError:
        return [root]
    found = [root, root / "memory"]  # a container sees its own group there, whatever the path says
    for _, controllers, path in (line.split(":", 2) for line in lines):
        base = root if not controllers else root / "memory"
        if not controllers or "memory" in controllers.split(","):
            own = base / path.lstrip("/")
            found += [own, *(parent for parent in own.parents if parent.is_relative_to(base))]
    return list(dict.fromkeys(found))


def _groups_most() -> list[int]:
    return [limit for folder in _group_folders() if (limit := _group_limit(folder)) is not None]


def _groups_free() -> list[int]:
    """What the limits leave; pages of files that can be dropped are free."""
    found = []
    for folder in _group_folders():
        limit = _group_limit(folder)
        used = _number(folder / "memory.current", folder / "memory.usage_in_bytes")
        if limit is not None and used is not None:
            found.append(limit - used + _inactive_file(folder))
    return found


def _group_limit(folder: Path) -> int | None:
    limit = _number(folder / "memory.max", folder / "memory.limit_in_bytes")
    return limit if limit is not None and limit < 1 << 60 else None  # version 1 writes no limit as a great number


def _number(*files: Path) -> int | None:
    for file in files:
        try:
            return int(file.read_text())
        except (OSError, ValueError):  # not there, or "max"
            continue
    return None


def _inactive_file(folder: Path) -> int:
    try:
        found = dict(line.split() for line in (folder / "memory.stat").read_text().splitlines())
        return int(found.get("total_inactive_file", found.get("inactive_file", 0)))  # version 1: with groups below
    except (OSError, ValueError):
        return 0


def _limit() -> int | None:
    """The limit on this process's addresses (ulimit -v)."""
    try:
        import resource
    except ImportError:  # Windows
        return None
    limit = resource.getrlimit(resource.RLIMIT_AS)[0]
    return None if limit == resource.RLIM_INFINITY else limit


def _limit_free() -> int | None:
    limit = _limit()
    try:
        used = int(Path("/proc/self/statm").read_text().split()[0]) * os.sysconf("SC_PAGE_SIZE")
    except (OSError, ValueError):
        return limit
    return None if limit is None else limit - used
