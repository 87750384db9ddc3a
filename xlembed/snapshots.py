"""Models' files from the Hugging Face hub or its cache, at a fixed revision where one is named."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from xlembed.errors import InputError, require
from xlembed.os_faults import escaped

_COMMIT = re.compile("[0-9a-f]{40}")


def split_revision(name: str) -> tuple[str, str | None]:
    """(model, revision) of "model@revision"; hub names hold no @. Raises InputError where either part is empty."""
    model, sign, revision = name.partition("@")
    if sign and not (model and revision):
        raise InputError(f"{name!r}: a model and its revision are written NAME@REVISION")
    return model, revision or None


def snapshot(name: str, patterns: Sequence[str], extra: str, revision: str | None = None) -> tuple[Path | None, str]:
    """The folder of a model's files that match the patterns, or None and one line that says why not.

    `revision` is a commit, a branch or a tag of the hub; None the newest. `extra` is what installs the hub's client.
    """
    hub = require("huggingface_hub", extra)
    try:
        is_local = is_fixed(revision) and not _answers(hub, name, revision)
        return Path(hub.snapshot_download(name, revision=revision, allow_patterns=list(patterns), etag_timeout=5,
                                          local_files_only=is_local)), ""  # fmt: skip
    except Exception as err:  # the hub client raises a wide family: offline, unknown name, gated, time-out
        return None, escaped(err) or " ".join(str(err).split())[:120] or type(err).__name__


def _answers(hub: Any, name: str, revision: str | None) -> bool:
    """Whether the hub answers at all: asked for a commit's files, its client would try six times in half a minute."""
    try:
        hub.HfApi().model_info(name, revision=revision, timeout=5)
    except hub.errors.HfHubHTTPError:  # no such model or commit: an answer
        return True
    except Exception:
        return False
    return True


def commit_of(folder: Path) -> str | None:
    """The commit that a snapshot is of: the hub's client names its folders so. None for any other folder."""
    return folder.name if _COMMIT.fullmatch(folder.name) else None


def is_fixed(revision: str | None) -> bool:
    """Whether a revision is a commit, which always means the same files, and not a branch or none."""
    return revision is not None and _COMMIT.fullmatch(revision) is not None
