"""Translation by Apertium (Forcada et al. 2011), a free rule-based system that runs as a program on this machine."""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from baselines.translation.codes import three_letters
from xlembed.errors import InputError
from xlembed.progress import progress

DATA_FOLDERS = ("/usr/share/apertium", "/usr/local/share/apertium")
# Debian's packages, named in this order; each translates both ways unless Apertium has one way alone
_PACKAGED = {
    frozenset(pair.split("-")): pair
    for pair in (
        "afr-nld arg-cat bel-rus cat-ita cat-srd dan-nor eng-cat eng-spa fra-cat fra-frp hbs-eng hbs-mkd hbs-slv "
        "ind-zlm isl-eng isl-swe mkd-bul mkd-eng nno-nob oci-fra pol-szl por-cat rus-ukr spa-arg spa-ast spa-cat "
        "spa-ita srd-ita swe-dan swe-nor urd-hin"
    ).split()
} | {frozenset(("eng", "glg")): "en-gl", frozenset(("epo", "eng")): "eo-en", frozenset(("eus", "eng")): "eu-en",
     frozenset(("eus", "spa")): "eu-es", frozenset(("epo", "spa")): "eo-es", frozenset(("epo", "fra")): "eo-fr",
     frozenset(("fra", "spa")): "fr-es", frozenset(("spa", "glg")): "es-gl", frozenset(("spa", "por")): "es-pt",
     frozenset(("spa", "ron")): "es-ro", frozenset(("por", "glg")): "pt-gl", frozenset(("oci", "spa")): "oc-es",
     frozenset(("oci", "cat")): "oc-ca", frozenset(("epo", "cat")): "eo-ca"}  # fmt: skip


@dataclass(frozen=True)
class ApertiumSettings:
    """`batch_size` texts go to one process, which has `timeout` seconds. `mode` names a direction of `apertium -l`
    (None: that of the two languages); `mark_unknown` leaves Apertium's * before words that it does not know."""

    batch_size: int = 1000
    timeout: float = 300.0
    mode: str | None = None
    mark_unknown: bool = False
    program: str = "apertium"

    def __post_init__(self) -> None:
        if self.batch_size < 1 or not self.timeout > 0:
            raise InputError(f"batch_size = {self.batch_size}, timeout = {self.timeout}: at least 1, and more than 0")


@dataclass(frozen=True)
class ApertiumTranslator:
    """Texts through one direction of Apertium, a process a batch."""

    src: str
    trg: str
    program: str  # where it was found
    mode: str
    settings: ApertiumSettings

    def identity(self) -> dict[str, Any]:
        """The version, the direction, and a hash of the files that the direction uses (None where they are not at
        Apertium's usual place)."""
        return {"route": "apertium", "src": self.src, "trg": self.trg, "mode": self.mode,
                "mark_unknown": self.settings.mark_unknown, "version": self._version, "data": self._data}  # fmt: skip

    def translate(self, texts: Sequence[str]) -> list[str]:
        """One translation a text. Runs of white space become one space; a text without any other sign stays empty.

        Raises InputError where Apertium fails, is too slow, or loses a text even when it is alone.
        """
        lines = [" ".join(text.replace("\0", " ").split()) for text in texts]
        distinct = list(dict.fromkeys(line for line in lines if line))
        size = self.settings.batch_size
        found: dict[str, str] = {}
        with progress(f"apertium {self.mode}", len(distinct)) as advance:
            for start in range(0, len(distinct), size):
                batch = distinct[start : start + size]
                found.update(zip(batch, self._batch(batch), strict=True))
                advance(len(batch))
        return [found[line] if line else "" for line in lines]

    def _batch(self, lines: list[str]) -> list[str]:
        """A batch; where texts were lost or merged, or the process failed, its halves, down to single texts."""
        try:
            return _paragraphs(self._run(_as_paragraphs(lines)), len(lines))
        except _Failed as err:
            if len(lines) == 1:
                raise InputError(f"apertium {self.mode} failed on the text {lines[0][:60]!r}: {err}") from None
        half = len(lines) // 2
        return self._batch(lines[:half]) + self._batch(lines[half:])

    def _run(self, text: str) -> str:
        marks = [] if self.settings.mark_unknown else ["-u"]
        return _run([self.program, *marks, "-f", "txt", self.mode], text, self.settings.timeout)

    @cached_property
    def _version(self) -> str | None:
        """Of -V, "Apertium 3.8.3"; None where the program does not say."""
        try:
            return _run([self.program, "-V"], "", 30).strip()[:100] or None
        except _Failed:
            return None

    @cached_property
    def _data(self) -> str | None:
        modes = (Path(folder) / "modes" / f"{self.mode}.mode" for folder in DATA_FOLDERS)
        mode = next((mode for mode in modes if mode.is_file()), None)
        return None if mode is None else _hash_of_mode(mode)


def make(src: str, trg: str, settings: ApertiumSettings = ApertiumSettings()) -> ApertiumTranslator:
    """The translator of a pair. Raises InputError, with the command that installs what is missing."""
    program = shutil.which(settings.program)
    if program is None:
        raise InputError(f"the program {settings.program} is not installed: {_install_command(src, trg)}")
    modes = list_modes(program)
    wanted = [settings.mode] if settings.mode else _mode_names(src, trg)
    mode = next((name for name in wanted if name in modes), None)
    if mode is None:
        raise InputError(f"apertium has no {wanted[0]}, it has {', '.join(modes) or 'no pair'}: "
                         f"{_install_command(src, trg)}")  # fmt: skip
    return ApertiumTranslator(src, trg, program, mode, settings)


def list_modes(program: str = "apertium") -> list[str]:
    """The directions that are installed, of `apertium -l`."""
    try:
        return _run([program, "-l"], "", 30).split()
    except _Failed as err:
        raise InputError(f"{program} -l failed: {err}") from None


class _Failed(Exception):
    """A process that ended badly, or gave back another number of texts."""


def _run(command: list[str], text: str, timeout: float) -> str:
    """Standard output of a command. On time-out its whole group is ended: Apertium is a script over a pipeline."""
    try:
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   start_new_session=True)  # fmt: skip
    except OSError as err:
        raise InputError(f"{command[0]} cannot be run: {err.strerror}") from None
    try:
        out, said = process.communicate(text.encode("utf-8"), timeout=timeout)
    except subprocess.TimeoutExpired:
        raise InputError(f"{' '.join(command)} gave no answer within {timeout:g} s: raise the time-out, or lower the "
                         "batch size") from None
    finally:
        _end(process)
    if process.returncode:
        reason = " ".join((said or out).decode("utf-8", "replace").split())[:200]
        raise _Failed(f"exit code {process.returncode}{': ' if reason else ''}{reason}")
    return out.decode("utf-8", "replace")


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and what it started, where it still runs."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
    for pipe in (process.stdin, process.stdout, process.stderr):
        if pipe is not None:
            pipe.close()


def _as_paragraphs(lines: list[str]) -> str:
    """A blank line after each text: there Apertium ends a sentence, so that no rule reaches over it."""
    return "".join(f"{line}\n\n" for line in lines)


def _paragraphs(out: str, n: int) -> list[str]:
    """The n texts of the output; raises _Failed where they are not n, each with a blank line after it.

    A text may be empty.
    """
    lines = out.removesuffix("\n").split("\n")
    texts, blanks = [line.strip() for line in lines[::2]], lines[1::2]
    if len(lines) != 2 * n or any(line.strip() for line in blanks):
        raise _Failed(f"{n} texts went in, {sum(bool(line.strip()) for line in lines)} came out")
    return texts


def _mode_names(src: str, trg: str) -> list[str]:
    """How a direction may be called: eng-spa, or en-es in older pairs."""
    pairs = [(three_letters(src), three_letters(trg)), (src, trg)]
    return list(dict.fromkeys(f"{one}-{other}" for one, other in pairs))


def _install_command(src: str, trg: str) -> str:
    pair = _PACKAGED.get(frozenset((three_letters(src), three_letters(trg))))
    if pair is None:
        return f"no package for {src}-{trg} is known, see `apt-cache search apertium`; take another route"
    return f"sudo apt-get install apertium apertium-{pair}"


def _hash_of_mode(mode: Path) -> str:
    """Over the mode's pipeline and every file that it names."""
    text = mode.read_text(encoding="utf-8", errors="replace")
    digest = hashlib.sha256(text.encode("utf-8"))
    for name in re.findall(r"/[^\s'\"]+", text):
        if Path(name).is_file():
            digest.update(Path(name).read_bytes())
    return digest.hexdigest()
