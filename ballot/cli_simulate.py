"""`ballot simulate`: leave the files of a whole election that never took place."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Iterable
from concurrent.futures import Executor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from ballot import executors
from ballot.errors import MalformedError, UnusableInputError
from ballot.protocol.messages import Election
from ballot.simulate import Plan, Simulated, parse_rules, parse_template, simulate


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        "simulate",
        help="run a whole election in this process and leave its files",
        description="Run a whole election in this process, with random answers, and leave in OUT: <uuid>.bel, "
        "<uuid>.companion.json, with rules <uuid>.results.json, public/ and secret/. For tests and benchmarks: all secrets are "
        "in one hand.",
    )
    parser.add_argument("out", metavar="OUT", type=Path, help="a folder, empty or not there yet")
    parser.add_argument("--voters", metavar="N", type=int, required=True, help="number of members on the roll")
    parser.add_argument("--questions", metavar="FILE.json", type=Path, required=True, help="a Belenios questions template")
    parser.add_argument(
        "--rules", metavar="FILE.json", type=Path, help="a JSON list, one counting rule a question, which the election declares"
    )
    parser.add_argument("--trustees", metavar="M", type=int, default=3, help="number of key-holders (default: 3)")
    parser.add_argument("--threshold", metavar="T", type=int, help="how many of them suffice to open (default: all are needed)")
    parser.add_argument("--turnout", metavar="N", type=int, help="number of members who vote (default: all)")
    parser.add_argument("--seed", metavar="S", help="make the same files each time; without it, luck is the system's")
    parser.add_argument("--plain", action="store_true", help="a plain Belenios v1 election: no declarations, no companion proofs")
    parser.add_argument("--jobs", metavar="J", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    executors.add_argument(parser)


def _json_lines(rows: Iterable[object]) -> bytes:
    return "".join(f"{json.dumps(row, separators=(',', ':'))}\n" for row in rows).encode()


def _write_secret(path: Path, data: bytes) -> None:
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(data)


def _write(out: Path, done: Simulated) -> None:
    uuid = done.election.uuid
    if done.companions is not None:
        (out / f"{uuid}.companion.json").write_bytes(done.companions.to_bytes())
    if done.results is not None:
        (out / f"{uuid}.results.json").write_bytes(done.results)
    public = out / "public"
    public.mkdir()
    for name, message in (
        ("election.json", done.election),
        ("trustees.json", done.trustees),
        ("public_creds.json", done.credentials),
        ("result.json", done.result),
    ):
        (public / name).write_bytes(message.to_bytes())
    secret = out / "secret"
    secret.mkdir(mode=0o700)
    _write_secret(secret / "codes.txt", "".join(f"{code}\n" for code in done.codes).encode())
    _write_secret(secret / "choices.jsonl", _json_lines(done.choices))
    for owner, key in done.private_keys.items():
        _write_secret(secret / f"trustee-{owner}.key", json.dumps(str(key)).encode())


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise UnusableInputError(f"{path} cannot be read: {error.strerror}") from error


def run(args: argparse.Namespace) -> int:
    """Simulate as asked; exit status 0.

    Raises: UnusableInputError for a folder that is not empty or a template that cannot be read, MalformedError for
    numbers that make no election.
    """
    out: Path = args.out
    data = _read(args.questions)
    try:
        name, description, questions = parse_template(data)
    except MalformedError as error:
        raise MalformedError(f"{args.questions}: {error}") from error
    rules = () if args.rules is None else parse_rules(_read(args.rules))
    if args.jobs < 1:
        raise UnusableInputError("--jobs is at least 1")
    timing = {} if args.seed is not None else {"timestamp": int(time.time())}
    plan = Plan(
        questions=questions,
        voters=args.voters,
        trustees=args.trustees,
        threshold=args.threshold,
        turnout=args.turnout,
        name=name,
        description=description,
        declared=not args.plain,
        rules=rules,
        seed=None if args.seed is None else args.seed.encode(),
        **timing,
    )
    out.mkdir(parents=True, exist_ok=True)
    if any(out.iterdir()):
        raise UnusableInputError(f"{out} is not empty; nothing was written")
    begin = time.monotonic()

    def tell(part: str) -> None:
        print(f"{time.monotonic() - begin:8.1f} s  {part}", flush=True)

    with ExitStack() as stack:

        def open_archive(election: Election) -> BinaryIO:
            return stack.enter_context((out / f"{election.uuid}.bel").open("xb"))

        executor: Executor | None = None
        if args.executor is not None:
            executor = stack.enter_context(executors.dask(args.executor))
        elif args.jobs > 1:
            executor = stack.enter_context(executors.processes(args.jobs))
        done = simulate(plan, open_archive, executor, tell)
    _write(out, done)
    print(out / f"{done.election.uuid}.bel")
    return 0
