"""When this machine last made a backup of each part, for `ballot doctor` and monitors: one small file beside the data."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Final

from ballot.services.clock import iso

STAMP: Final = "backups.json"

Last = dict[str, dict[str, str | int]]


def last_backups(data: Path) -> Last:
    """`database` and `keys`, each with `made`, `file`, `bytes`, `sha256`, as far as there was one."""
    try:
        known = json.loads((data / STAMP).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return known if isinstance(known, dict) else {}


def remembered(data: Path, part: str, path: Path, digest: str, now: datetime) -> bytes:
    """The stamp file's contents after this backup."""
    entry: dict[str, str | int] = {"made": iso(now), "file": str(path.absolute()), "bytes": path.stat().st_size, "sha256": digest}
    return json.dumps(last_backups(data) | {part: entry}, indent=1).encode() + b"\n"
