"""Models' files from the Hugging Face hub or its cache."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from xlembed.errors import require


def snapshot(name: str, patterns: Sequence[str], extra: str, revision: str | None = None) -> tuple[Path | None, str]:
    """The folder of a model's files that match the patterns, or None and one line that says why not.

    `extra` is what installs the hub's client.
    """
    hub = require("huggingface_hub", extra)
    try:
        return Path(hub.snapshot_download(name, revision=revision, allow_patterns=list(patterns), etag_timeout=5)), ""
    except Exception as err:  # the hub client raises a wide family: offline, unknown name, gated, time-out
        return None, " ".join(str(err).split())[:120] or type(err).__name__
