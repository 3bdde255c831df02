"""The running site: settings from the environment, database and keys made ready, then gunicorn's workers."""

from __future__ import annotations

import logging
import os
import select
import subprocess
import sys
import threading
from typing import Any

from flask import Flask
from gunicorn.app.base import BaseApplication  # type: ignore[import-untyped]
from gunicorn.glogging import Logger as GunicornLogger  # type: ignore[import-untyped]
from gunicorn.workers.gthread import ThreadWorker  # type: ignore[import-untyped]

from ballot import failpoints, logs
from ballot.app import create_app
from ballot.config import Config
from ballot.errors import UnavailableError
from ballot.services import invitations, jobs, lifecycle, mail, mailings, roll_import, sweep, tidy
from ballot.services.clock import Clock, SystemClock
from ballot.services.database import Database
from ballot.services.keys import Keys
from ballot.services.startup import only_one, prepare
from ballot.web.board.result import read_results
from ballot.web.telemetry import share_figures

WORKERS, THREADS = 2, 4
STOP_WITHIN = 60  # seconds; the longest cast takes one or two
LOOK_EVERY, SWEEP_EVERY = 2, 1  # seconds

log = logging.getLogger(__name__)


def build() -> Flask:
    """The site with the settings of the environment; in development it also sends its own mail.

    Raises: ConfigurationError.
    """
    config, clock = Config.from_environ(os.environ), SystemClock()
    logs.install(verbose=config.development)
    failpoints.arm(os.environ, development=config.development)
    database, keys = prepare(config)
    share_figures(config.data / "metrics")
    app = create_app(config, clock=clock, database=database, keys=keys)
    _start_clock(config, database, keys, clock)
    _start_sweeper(config, database, clock)
    _start_reader(database)
    if config.development:
        refill = mailings.refill(database, config, keys, mail.Mailer(config, keys), clock)
        mail.start_in_background(config, keys, database, clock, refill)
    return app


def _start_clock(config: Config, database: Database, keys: Keys, clock: Clock) -> None:
    """Elections close at their announced hour by themselves: a thread of one worker looks every few seconds. Some days before, it has
    the key-holders asked whether their keys still open. It also starts a process for the long work that waits, and deletes what is due.

    On several hosts each has one; whoever is second finds the election closed. No ballot is taken after the hour in any case.
    """
    mailer = mail.Mailer(config, keys)

    def work() -> None:
        pause, worker = threading.Event(), _Worker()
        while not pause.wait(LOOK_EVERY):
            try:
                with only_one(config.data, "clock") as mine:
                    while mine:
                        lifecycle.close_due(database, clock.now())
                        invitations.ask_key_holders_again(database, config, keys, mailer, clock.now())
                        if jobs.waiting(database, clock):
                            worker.start()
                        tidy.tidy_due(database, clock.now())
                        roll_import.forget_due(database, clock.now())
                        pause.wait(LOOK_EVERY)
            except Exception:
                log.exception("closing or deleting on time failed; it is tried again in a moment")

    threading.Thread(target=work, name="clock", daemon=True).start()


def _start_sweeper(config: Config, database: Database, clock: Clock) -> None:
    """A thread of one worker compares what is stored with the chains, and publishes the heads that pass."""

    def work() -> None:
        pause = threading.Event()
        while not pause.wait(SWEEP_EVERY):
            try:
                with only_one(config.data, "sweep") as mine:
                    sweeper = sweep.Sweeper(database)
                    while mine:
                        sweeper.look(clock.now())
                        pause.wait(SWEEP_EVERY)
            except UnavailableError:
                log.warning("the database did not answer the sweep; it is tried again in a moment")
            except Exception:
                log.exception("comparing what is stored with the chains failed; it is tried again in a moment")

    threading.Thread(target=work, name="sweep", daemon=True).start()


def _start_reader(database: Database) -> None:
    """Every worker reads and counts a published result before somebody asks for its page: of very many ballots that takes seconds."""

    def work() -> None:
        pause, seen = threading.Event(), set[str]()
        while not pause.wait(LOOK_EVERY):
            try:
                read_results(database, seen)
            except UnavailableError:
                continue  # the next look may be luckier
            except Exception:
                log.exception("reading a published result failed")

    threading.Thread(target=work, name="results", daemon=True).start()


class _Worker:
    """`ballot work`, one at a time: no request waits for what it computes, and its memory is given back when it is done."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """It runs."""
        if self._process is None or self._process.poll() is not None:
            self._process = subprocess.Popen([sys.executable, "-m", "ballot.cli", "work", "--parent", str(os.getpid())])  # noqa: S603 - ourselves


class Server(BaseApplication):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn without a file of its own. Each worker builds the site for itself."""

    def __init__(self, **options: Any) -> None:
        self._options = options
        super().__init__()

    def load_config(self) -> None:
        """What `gunicorn` would read from its command line."""
        for name, value in self._options.items():
            if name in self.cfg.settings:  # newer releases have more of them
                self.cfg.set(name, value)

    def load(self) -> Flask:
        """The WSGI application of one worker."""
        return build()


class Worker(ThreadWorker):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's worker, which on the way out lets in who has knocked already, and then shuts the door: a later connection is refused
    at once instead of waiting for a worker that will not come.
    """

    def set_accept_enabled(self, enabled: bool) -> None:
        """As gunicorn does; and when the worker stops, for good."""
        if not enabled and not self.alive:
            for listener in self.sockets:
                while select.select([listener], [], [], 0)[0]:
                    self.accept(listener)
        super().set_accept_enabled(enabled)
        if not enabled and not self.alive:
            for listener in self.sockets:
                listener.close()


class Logger(GunicornLogger):  # type: ignore[misc]  # gunicorn ships no types
    """gunicorn's own words in our form."""

    def setup(self, cfg: Any) -> None:
        """As gunicorn sets it up, then in lines of JSON."""
        super().setup(cfg)
        logs.install()


def serve(bind: str, workers: int = WORKERS, threads: int = THREADS) -> None:
    """Run until told to stop: SIGTERM lets every request that has begun be answered, for `STOP_WITHIN` seconds. The log (`ballot.logs`)
    tells routes and times, never who asked for what.
    """
    share_figures(Config.from_environ(os.environ).data / "metrics", fresh=True)
    options = {"bind": bind, "workers": workers, "worker_class": "ballot.serve.Worker", "threads": threads, "graceful_timeout": STOP_WITHIN}
    options |= {"proc_name": "ballot", "loglevel": "info", "logger_class": Logger}
    Server(**options, control_socket_disable=True).run()  # nobody steers the server but by signals
