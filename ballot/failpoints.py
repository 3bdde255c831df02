"""Named moments at which a test may have the process killed, to show that nothing is lost there.

Unless armed, a moment costs a comparison and does nothing. Outside development arming is refused, and with it the start.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from ballot.errors import ConfigurationError

NAMES: Final = ("parsed", "verified", "before-commit", "after-commit", "before-reply")
_folders: list[Path] = []


def arm(env: Mapping[str, str], *, development: bool) -> None:
    """With `BALLOT_FAILPOINTS` this process ends at a moment for which that folder has a file of its name, once for each file.

    Raises: ConfigurationError: outside development.
    """
    folder = env.get("BALLOT_FAILPOINTS", "")
    if folder and not development:
        raise ConfigurationError("BALLOT_FAILPOINTS is for tests, which kill the service with it: unset it.")
    _folders[:] = [Path(folder)] if folder else []


def reach(name: str) -> None:
    """This moment has come."""
    for folder in _folders:
        try:
            (folder / name).unlink()
        except FileNotFoundError:
            continue
        os.kill(os.getpid(), signal.SIGKILL)
