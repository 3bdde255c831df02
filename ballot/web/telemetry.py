"""Around every request: its line in the log, its figures, and the door for the machine's own monitor.

Nothing of a member is measured: a request is known by the name of its view, its method, the class of its answer and how long it took.
"""

from __future__ import annotations

import logging
import os
import secrets
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from flask import Flask, request
from werkzeug.wsgi import ClosingIterator

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

LOCAL_PAGES: Final = ("/healthz", "/readyz", "/metrics")  # may be asked for as http://127.0.0.1:8000/…, whatever the public host is
_LOOPBACK: Final = {"127.0.0.1", "::1", "localhost"}
_FORWARDED: Final = ("HTTP_X_FORWARDED_FOR", "HTTP_X_FORWARDED_HOST", "HTTP_X_REAL_IP", "HTTP_FORWARDED", "HTTP_VIA")
_ROUTE, _LOCAL = "ballot.route", "ballot.local"
_BUCKETS: Final = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
MULTIPROCESS: Final = "PROMETHEUS_MULTIPROC_DIR"

log = logging.getLogger("ballot.request")


def share_figures(folder: Path, *, fresh: bool = False) -> None:
    """The workers of one host add their figures up through files in this folder. To be called before the first `Figures`.

    `fresh`: those of workers that are gone are deleted; only a process that starts before all workers may ask for it.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if fresh:
        for file in folder.glob("*.db"):
            file.unlink(missing_ok=True)
    os.environ.setdefault(MULTIPROCESS, str(folder))


class Figures:
    """Requests by view, method and class of answer, and how long they took."""

    def __init__(self) -> None:
        # It reads the environment when it is imported.
        from prometheus_client import CollectorRegistry, Counter, Histogram, disable_created_metrics  # noqa: PLC0415

        disable_created_metrics()  # type: ignore[no-untyped-call]  # the moment of the first cast is nobody's business
        self._own = CollectorRegistry()
        names = ("route", "method", "answer")
        self._requests = Counter("ballot_requests", "Requests answered.", names, registry=self._own)
        self._seconds = Histogram("ballot_request_seconds", "How long requests took.", ("route",), registry=self._own, buckets=_BUCKETS)

    def count(self, route: str, method: str, status: int, seconds: float) -> None:
        """One more request was answered."""
        self._requests.labels(route, method, f"{status // 100}xx").inc()
        self._seconds.labels(route).observe(seconds)

    def registry(self) -> CollectorRegistry:
        """What all workers of this host have counted."""
        if MULTIPROCESS not in os.environ:
            return self._own
        from prometheus_client import CollectorRegistry  # noqa: PLC0415 - as above
        from prometheus_client.multiprocess import MultiProcessCollector  # noqa: PLC0415

        together = CollectorRegistry()
        MultiProcessCollector(together)  # type: ignore[no-untyped-call]  # it registers itself
        return together


def is_local() -> bool:
    """The request comes from a program on this machine, and through no proxy."""
    return bool(request.environ.get(_LOCAL))


def install(app: Flask) -> None:
    """Put it around the application; before every other hook."""
    figures = Figures()
    app.extensions["ballot.figures"] = figures
    app.before_request(_note_route)
    app.wsgi_app = _Around(app.wsgi_app, app.config["TRUSTED_HOSTS"][0], figures)  # type: ignore[method-assign]


def _note_route() -> None:
    request.environ[_ROUTE] = request.endpoint or "none"


def request_id() -> str:
    """The name that this request has in the log."""
    return str(request.environ.get("ballot.request", ""))


class _Around:
    """WSGI middleware: it sees every answer, those that never reach a view included."""

    def __init__(self, inner: Callable[..., Iterable[bytes]], host: str, figures: Figures) -> None:
        self._inner, self._host, self._figures = inner, host, figures

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        begun, name = time.perf_counter(), secrets.token_hex(8)
        environ["ballot.request"] = name  # ours alone: one that a client sends is not taken over
        self._open_local_door(environ)
        told = [500]

        def start(status: str, headers: list[tuple[str, str]], *more: Any) -> Any:
            told[0] = int(status[:3])
            return start_response(status, [*headers, ("X-Request-ID", name)], *more)

        def done() -> None:
            took, route = time.perf_counter() - begun, str(environ.get(_ROUTE, "none"))
            method = environ.get("REQUEST_METHOD", "")
            method = method if method in {"GET", "HEAD", "POST", "OPTIONS"} else "other"
            self._figures.count(route, method, told[0], took)
            fields = {"id": name, "route": route, "method": method, "status": told[0], "ms": round(took * 1000, 1)}
            log.info("request", extra={"fields": fields})

        return ClosingIterator(self._inner(environ, start), [done])

    def _open_local_door(self, environ: dict[str, Any]) -> None:
        """A monitor on this machine knows the site by 127.0.0.1; for its three pages that name will do."""
        if environ.get("PATH_INFO") not in LOCAL_PAGES:
            return
        host = str(environ.get("HTTP_HOST", "")).rsplit(":", 1)[0].strip("[]")
        if host in _LOOPBACK and environ.get("REMOTE_ADDR") in _LOOPBACK and not any(name in environ for name in _FORWARDED):
            environ[_LOCAL] = True
            environ["HTTP_HOST"] = self._host
