"""Belenios's own command line, where it is installed: the judge that we did not write."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path

from tests.support.need import ROOT, missing


@functools.cache
def installed() -> dict[Path, tuple[int, ...]]:
    """Every belenios-tool here with its version: BALLOT_BELENIOS_TOOL (paths with ':' between), .tools/*/, the PATH."""
    named = [Path(name) for name in os.environ.get("BALLOT_BELENIOS_TOOL", "").split(":") if name]
    on_path = shutil.which("belenios-tool")
    places = [*named, *sorted((ROOT / ".tools").glob("*/belenios-tool")), *([Path(on_path)] if on_path else [])]
    found: dict[Path, tuple[int, ...]] = {}
    for place in places:
        done = subprocess.run([str(place), "--version"], capture_output=True, text=True, check=False)
        version = re.match(r"(\d+(?:\.\d+)*)", done.stdout.strip())
        if done.returncode == 0 and version:
            found[place] = tuple(int(part) for part in version[1].split("."))
    return found


def belenios_tool(at_least: tuple[int, ...] = (3, 0)) -> Path:
    """The oldest installed v1 tool that is at least this version. 3.0 has the Ed25519 group; 3.2 reads a live site."""
    fitting = sorted((version, path) for path, version in installed().items() if at_least <= version < (4,))
    if not fitting:
        missing(f"belenios-tool {'.'.join(map(str, at_least))} or newer", "bash .ci/belenios-tool .tools/trixie trixie; … .tools/sid sid")
    return fitting[0][1]


def run(tool: Path, *arguments: str | Path, stdin: str | None = None, timeout: float = 600) -> subprocess.CompletedProcess[str]:
    """Run the tool; the caller judges the exit status."""
    return subprocess.run([str(tool), *map(str, arguments)], input=stdin, capture_output=True, text=True, check=False, timeout=timeout)
