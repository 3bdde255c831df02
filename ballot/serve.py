"""The running site: settings from the environment, database and keys made ready, then gunicorn's workers."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]

from ballot.app import create_app
from ballot.config import Config
from ballot.services import mail
from ballot.services.clock import SystemClock
from ballot.services.startup import prepare

WORKERS, THREADS = 2, 4


def build() -> Flask:
    """The site with the settings of the environment; in development it also sends its own mail.

    Raises: ConfigurationError.
    """
    config, clock = Config.from_environ(os.environ), SystemClock()
    database, keys = prepare(config)
    app = create_app(config, clock=clock, database=database, keys=keys)
    if config.development:
        mail.start_in_background(config, keys, database, clock)
    return app


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn without a file of its own. Each worker builds the site for itself."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """What `gunicorn` would read from its command line."""
        for name, value in self._options.items():
            self.cfg.set(name, value)

    def load(self) -> Flask:
        """The WSGI application of one worker."""
        return build()


def serve(bind: str, workers: int = WORKERS, threads: int = THREADS) -> None:
    """Run until told to stop. Only errors are logged: what members fetch is nobody's business."""
    Server(bind=bind, workers=workers, worker_class="gthread", threads=threads, proc_name="ballot", loglevel="warning").run()
