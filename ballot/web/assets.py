"""Addresses and integrity values of the files under `static/`, so that a changed file has another address."""

from __future__ import annotations

import base64
import hashlib
from functools import lru_cache
from pathlib import Path

STATIC = Path(__file__).parent / "static"


@lru_cache(maxsize=256)
def _digest(path: str, _changed: int, algorithm: str) -> bytes:
    return hashlib.new(algorithm, (STATIC / path).read_bytes()).digest()


def _changed(path: str) -> int:
    return (STATIC / path).stat().st_mtime_ns


def asset(path: str) -> str:
    """The address of a static file, with the start of its hash. It is built without Flask's router, because an error page
    for a foreign host has no router.
    """
    return f"/static/{path}?v={_digest(path, _changed(path), 'sha256').hex()[:12]}"


def integrity(path: str) -> str:
    """The value of an `integrity` attribute."""
    return "sha384-" + base64.b64encode(_digest(path, _changed(path), "sha384")).decode()
