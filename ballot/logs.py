"""The service's log: one JSON object a line on stderr, and nothing in it that is anybody's.

A line has `time`, `level`, `from` and `event`, and for a request `id`, `route` (the name of a view, never the address that was
asked for), `method`, `status` and `ms`. No query strings, network addresses, names, or messages of unexpected errors: those can hold
what somebody typed, so only their kinds and the places in the program are kept. Whatever still looks like an e-mail address, a
code, a token or a network address is blotted out (`scrub`), also in what libraries say.
"""

from __future__ import annotations

import json
import logging
import os
import re
import sys
import traceback
from datetime import UTC, datetime
from typing import Any, Final

from ballot.errors import BallotError

_BLOTS: Final = (
    (re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]+@[A-Za-z0-9][A-Za-z0-9.-]*"), "[address]"),
    (re.compile(r"\b[1-9A-HJ-NP-Za-km-z]{5}-[1-9A-HJ-NP-Za-km-z]{6}-[1-9A-HJ-NP-Za-km-z]{5}-[1-9A-HJ-NP-Za-km-z]{6}\b"), "[code]"),
    (re.compile(r"(?<=[?#])[^\s\"'<>]+"), "[…]"),
    (re.compile(r"\b(?!127\.0\.0\.1\b)\d{1,3}(?:\.\d{1,3}){3}\b"), "[host]"),
    (re.compile(r"(?<![0-9A-Za-z:])(?:[0-9A-Fa-f]{0,4}:){3,7}[0-9A-Fa-f]{0,4}(?![0-9A-Za-z:])"), "[host]"),
    (re.compile(r"[A-Za-z0-9_+/=.-]{40,}"), "[secret?]"),
)
_LIBRARIES: Final = ("gunicorn", "werkzeug", "sqlalchemy", "alembic")


def scrub(text: str) -> str:
    """The text without what looks like somebody's: addresses, codes, tokens, query strings."""
    for pattern, blot in _BLOTS:
        text = pattern.sub(blot, text)
    return " ".join(text.split())[:1000]


class JsonLines(logging.Formatter):
    """A record as one line. `verbose` (development) adds what an unexpected error says."""

    def __init__(self, *, verbose: bool = False) -> None:
        super().__init__()
        self._verbose = verbose

    def format(self, record: logging.LogRecord) -> str:
        """The line, without its end."""
        line: dict[str, Any] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "from": record.name,
            "event": self._event(record),
        }
        line |= getattr(record, "fields", {})
        error = record.exc_info[1] if record.exc_info else None
        if error is not None:
            line |= self._error(error)
        return json.dumps(line, ensure_ascii=False, default=str)

    def _event(self, record: logging.LogRecord) -> str:
        try:
            text = record.getMessage()
        except (TypeError, ValueError):
            text = str(record.msg)
        if record.name.startswith(_LIBRARIES):
            # A server quotes the address that was asked for, and shows tracebacks as text.
            text = re.sub(r"(?<![\w:/])/[^\s\"']*", "/[…]", text.split("Traceback", maxsplit=1)[0])
        return scrub(text)

    def _error(self, error: BaseException) -> dict[str, Any]:
        chain: list[str] = []
        seen: BaseException | None = error
        while seen is not None and len(chain) < 5:
            chain.append(type(seen).__name__)
            seen = seen.__cause__ or seen.__context__
        frames = traceback.extract_tb(error.__traceback__)[-8:]
        places = [f"{os.path.relpath(frame.filename).replace('../', '')}:{frame.lineno} {frame.name}" for frame in frames]
        told: dict[str, Any] = {"error": chain, "at": places}
        if self._verbose or isinstance(error, BallotError):
            told["said"] = scrub(str(error))
        return told


def install(*, verbose: bool = False) -> None:
    """Everything that this process logs goes to stderr in this form; a server's own handlers are given it too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines(verbose=verbose))
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ballot").setLevel(logging.INFO)
    for name in ("gunicorn.error", "gunicorn.access"):
        for other in logging.getLogger(name).handlers:
            other.setFormatter(handler.formatter)
