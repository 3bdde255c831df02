"""What a test needs from the machine, and what happens when it is not there.

On a developer's machine the test is skipped and says why. Where BALLOT_REQUIRE_ALL is set (continuous integration),
nothing may be missing: the same call fails the test.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[2]
REQUIRE_ALL = os.environ.get("BALLOT_REQUIRE_ALL", "") not in {"", "0"}


def missing(what: str, how: str) -> NoReturn:
    """Skip this test, or fail it where everything is required."""
    import pytest

    sentence = f"{what} is not installed here ({how})"
    if REQUIRE_ALL:
        pytest.fail(sentence, pytrace=False)
    pytest.skip(sentence)


def find_program(name: str, *, folders: tuple[str, ...] = ()) -> Path | None:
    """The path of an installed program, looked for on the PATH and then in these folders (globs), newest first."""
    found = shutil.which(name)
    if found:
        return Path(found)
    for pattern in folders:
        for folder in sorted(Path("/").glob(pattern.lstrip("/")), reverse=True):
            if (folder / name).exists():
                return folder / name
    return None


def program(name: str, *, package: str, folders: tuple[str, ...] = ()) -> Path:
    """As `find_program`; where it is not installed, the test is skipped or fails."""
    return find_program(name, folders=folders) or missing(name, f"Debian: apt-get install {package}")
