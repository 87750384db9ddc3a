"""A model in two files, weights and a JSON that says what they are: written together, and told apart from others'.

Both get their names when both are whole. A process that is killed between the two renamings leaves new weights beside
an old JSON; the JSON names the checksum of its weights, so that such a pair is refused and never mixed.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from xlembed.files import replacing_together, sha256_of

_CHECKSUM = "weights_sha256"


def save_pair(weights: Path, about: Path, write: Callable[[Path], None], facts: Mapping[str, Any]) -> None:
    """Write weights (`write` does it, to the path that it is given) and facts as JSON, both or neither."""
    with replacing_together(weights, about) as (new_weights, new_about):
        write(new_weights)
        bound = {**facts, _CHECKSUM: sha256_of(new_weights)}
        new_about.write_text(json.dumps(bound, indent=1, ensure_ascii=False) + "\n", encoding="utf-8", newline="\n")


def check_pair(weights: Path, facts: dict[str, Any]) -> None:
    """Take the checksum out of the facts. Raises ValueError where it is there and is not that of the weights."""
    wanted = facts.pop(_CHECKSUM, None)
    if wanted is not None and sha256_of(weights) != wanted:
        raise ValueError(f"{weights.name} is not the file that was saved with it, a saving may have been cut off")
