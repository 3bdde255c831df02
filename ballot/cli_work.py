"""`ballot work`: the long work that officers asked for on their pages, until none is left.

`ballot serve` starts it by itself. It may be killed at any moment: the next one goes on. One at a time runs on a host, and on a
PostgreSQL that several hosts share.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack

from ballot.config import Config
from ballot.executors import end_with
from ballot.services import jobs
from ballot.services.clock import SystemClock
from ballot.services.mail import Mailer
from ballot.services.startup import only_one, prepare

_DUTY = 1
_GENTLY = 10  # nice: members who vote in another ballot go first


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = subparsers.add_parser("work", description="Do the long work that officers asked for on their pages, until none is left.")
    parser.add_argument("--jobs", metavar="N", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    parser.add_argument("--parent", metavar="PID", type=int, help="end when this process has ended; the work is gone on with later")


def run(args: argparse.Namespace) -> int:
    """Do it; exit status 0, also where another process is at it."""
    if args.parent is not None:
        end_with(args.parent)
    with contextlib.suppress(OSError):
        os.nice(_GENTLY)
    config = Config.from_environ(os.environ)
    database, keys = prepare(config)
    tools = jobs.Tools(config, database, keys, Mailer(config, keys), SystemClock())
    # Started anew, not forked: a fork would share the connections to the database.
    context = multiprocessing.get_context("spawn")
    try:
        with only_one(config.data, "work") as mine, database.alone(_DUTY) as alone:
            if mine and alone and jobs.waiting(database, tools.clock):
                with ExitStack() as stack:
                    executor = None
                    if args.jobs > 1:
                        executor = stack.enter_context(ProcessPoolExecutor(args.jobs, context, end_with, (os.getpid(),)))
                    jobs.work(tools, executor)
    finally:
        database.dispose()
    return 0
