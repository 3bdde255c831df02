"""Where work over many ballots is done: processes of this machine, or the workers of a Dask scheduler (`--executor dask://…`).

Both are `concurrent.futures.Executor`s, and whoever computes cuts the work in the same pieces and takes the answers in the same
order, so the outcome is the same to the byte.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib
import logging
import os
import threading
import time
import warnings
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import contextmanager
from typing import Any, Final
from urllib.parse import parse_qs, urlsplit

from ballot.errors import UnusableInputError

_CONNECT: Final = "5s"
_LOOK_EVERY: Final = 0.5  # seconds
_HELP: Final = "spread the work over Dask: dask://HOST:PORT, or dask://local?workers=N to start N workers here (needs ballot[dask])"


def add_argument(parser: argparse.ArgumentParser) -> None:
    """Declare `--executor`."""
    parser.add_argument("--executor", metavar="dask://…", help=_HELP)


def end_with(parent: int) -> None:
    """End this process soon after its parent, which is what a pool's worker does not do by itself when the parent is killed."""

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(_LOOK_EVERY)
        os._exit(3)

    threading.Thread(target=watch, name="parent", daemon=True).start()


def processes(number: int) -> ProcessPoolExecutor:
    """Processes of this machine, which end with this one."""
    return ProcessPoolExecutor(number, initializer=end_with, initargs=(os.getpid(),))


@contextmanager
def dask(address: str) -> Iterator[Executor]:
    """The workers of a Dask scheduler, as an executor; those that were started here end with the block.

    Raises: UnusableInputError: no such address, nobody answers there, or Dask is not installed.
    """
    scheduler, workers = _parsed(address)
    try:
        config, distributed = importlib.import_module("dask.config"), importlib.import_module("distributed")
    except ImportError as error:
        raise UnusableInputError("--executor dask://… needs Dask: pip install 'ballot[dask]'") from error
    logging.getLogger("distributed").setLevel(logging.CRITICAL)  # it would tell about every connection that ends
    quiet: dict[str, Any] = {"distributed.comm.timeouts.connect": _CONNECT, "distributed.admin.large-graph-warning-threshold": "100GB"}
    with config.set(quiet), contextlib.ExitStack() as stack:
        stack.enter_context(warnings.catch_warnings())
        warnings.simplefilter("ignore")  # of their own parts
        try:
            if workers:
                options = {"host": "127.0.0.1", "dashboard_address": None, "silence_logs": logging.CRITICAL}
                cluster = stack.enter_context(distributed.LocalCluster(n_workers=workers, threads_per_worker=1, processes=True, **options))
                client = stack.enter_context(distributed.Client(cluster, set_as_default=False))
            else:
                client = stack.enter_context(distributed.Client(f"tcp://{scheduler}", set_as_default=False, timeout=_CONNECT))
            if not client.scheduler_info(n_workers=-1)["workers"]:
                raise UnusableInputError(f"{address}: the Dask scheduler there has no workers.")
        except (OSError, TimeoutError, ValueError) as error:
            raise UnusableInputError(f"{address}: no Dask scheduler answers there.") from error
        yield client.get_executor(pure=False)


def _parsed(address: str) -> tuple[str, int]:
    """Host and port of a scheduler, or how many workers to start here. Raises: UnusableInputError."""
    wrong = UnusableInputError(f"{address[:80]!r} is neither dask://HOST:PORT nor dask://local?workers=N.")
    try:
        parts = urlsplit(address)
        port, options = parts.port, parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError as error:
        raise wrong from error
    if parts.scheme != "dask" or not parts.hostname or parts.path or parts.fragment or parts.username:
        raise wrong
    if parts.hostname == "local" and port is None:
        found = options.pop("workers", ["2"])[-1]
        if options or not (found.isascii() and found.isdigit() and 1 <= int(found[:4]) <= 512):
            raise wrong
        return "", int(found)
    if port is None or options:
        raise wrong
    return parts.netloc, 0
