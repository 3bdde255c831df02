"""`ballot audit-store`: check what must hold of the store whatever happened to it, at any time, without changing anything.

Exit status: 0 everything holds; 1 something does not, and each violation is a sentence; 2 the store cannot be read.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from ballot.config import Config
from ballot.errors import BallotError, ConfigurationError, UnusableInputError
from ballot.invariants import INVARIANTS, History, read_receipts, to_json
from ballot.protocol.receipts import Receipt
from ballot.services.audit import Audited, Beside, audit
from ballot.services.database import Database
from ballot.services.keys import Keys


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Describe the command's arguments."""
    parser = subparsers.add_parser(
        "audit-store",
        description="Check that no receipt is lost, nothing is counted twice, the archive only grew, database and archive agree, the "
        "box was closed once, the verifier accepts, every member has one valid link, and the result is what a recount says. "
        "Reads the site's settings; changes nothing; may run while members vote.",
        epilog="exit status: 0 everything holds, 1 something does not, 2 the store or a file cannot be read",
    )
    parser.add_argument("--election", metavar="UUID", help="look at this election alone")
    parser.add_argument("--receipts", metavar="FILE", type=Path, help="receipts that members were shown, one JSON object a line")
    parser.add_argument("--results", metavar="FILE", type=Path, action="append", default=[],
                        help="a UUID.results.json that was downloaded (may be repeated)")  # fmt: skip
    parser.add_argument("--earlier", metavar="FILE", type=Path, action="append", default=[],
                        help="a UUID.bel that was downloaded earlier; the archive must begin with it (may be repeated)")  # fmt: skip
    parser.add_argument("--belenios-tool", metavar="PATH", type=Path, help="ask Belenios's own command line too")
    parser.add_argument("--skip", metavar="I6", action="append", default=[], choices=INVARIANTS,
                        help="leave an invariant out; I6 verifies every proof and takes the most time (may be repeated)")  # fmt: skip
    parser.add_argument("--jobs", metavar="N", type=int, default=1, help="processes for the proofs (default: %(default)s)")
    parser.add_argument("--json", action="store_true", help="print the findings as JSON")


def run(args: argparse.Namespace) -> int:
    """Audit, print, and return the exit status."""
    config = Config.from_environ(os.environ)
    if not 1 <= args.jobs <= 512:
        raise UnusableInputError("--jobs is from 1 to 512.")
    if not config.keys.is_dir():
        raise ConfigurationError(f"{config.keys} is not there: set BALLOT_KEYS to the folder of the site's keys.")
    _must_exist(config.database_url)
    history = History(_receipts(args.receipts))
    results = {path.name.removesuffix(".results.json"): _bytes(path) for path in args.results}
    database = Database(config.database_url)
    try:
        with ExitStack() as stack:
            earlier = {path.name.removesuffix(".bel"): stack.enter_context(_open(path)) for path in args.earlier}
            executor = None
            if args.jobs > 1:
                context = multiprocessing.get_context("spawn")  # this process has threads and an open database
                executor = stack.enter_context(ProcessPoolExecutor(args.jobs, mp_context=context))
            found = audit(
                database,
                Keys.open(config.keys),
                history,
                beside=Beside(results, earlier),
                only=args.election,
                tool=args.belenios_tool,
                executor=executor,
                skip=frozenset(args.skip),
            )
    finally:
        database.dispose()
    _print(found, args.skip, as_json=args.json)
    return 1 if found.violations else 0


def _must_exist(url: str) -> None:
    """Looking must not make a database."""
    if url.startswith("sqlite:///") and not Path(url.removeprefix("sqlite:///")).is_file():
        raise ConfigurationError(f"There is no database at {url.removeprefix('sqlite:///')}: set BALLOT_DATA or BALLOT_DATABASE_URL.")


def _open(path: Path) -> BinaryIO:
    try:
        return path.open("rb")
    except OSError as error:
        raise UnusableInputError(f"{path} cannot be read: {error.strerror}.") from error


def _bytes(path: Path) -> bytes:
    with _open(path) as file:
        return file.read()


def _receipts(path: Path | None) -> tuple[Receipt, ...]:
    if path is None:
        return ()
    with _open(path) as file:
        try:
            return read_receipts(file)
        except BallotError as error:
            raise UnusableInputError(f"{path} is no file of receipts: {error}.") from error


def _print(found: Audited, skipped: list[str], *, as_json: bool) -> None:
    looked_at = {
        "elections": found.elections,
        "meetings": found.meetings,
        "events": found.events,
        "ballots": found.ballots,
        "receipts": found.receipts,
        "skipped": sorted(set(skipped)),
    }
    if as_json:
        print(json.dumps(to_json(found.violations, looked_at), ensure_ascii=False, indent=1))
        return
    for violation in found.violations:
        print(f"VIOLATED {violation}.")
    words = f"{found.elections} elections, {found.meetings} rolls, {found.events:,} events, {found.ballots:,} ballots"
    words += f", {found.receipts:,} receipts from outside" if found.receipts else ""
    words += f"; not looked at: {', '.join(sorted(set(skipped)))}" if skipped else ""
    verdict = f"{len(found.violations)} VIOLATIONS" if found.violations else "HOLDS"
    print(f"{verdict}: {words}.")
