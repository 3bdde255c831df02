"""`ballot count FILE.blt`: count papers by a named rule, and print the record as a table, JSON, CSV or HTML.

Exit 0 when the count is done, 2 with one sentence on standard error when it cannot be.
"""

from __future__ import annotations

import argparse
import shutil
import sys
from pathlib import Path

from ballot.count.ties import LotOrder
from ballot.errors import BallotError, CountError, MalformedError

_MOST_BYTES = 50_000_000
_MOST_SIDE_BYTES = 1_000_000
_RULES = ("scottish-2011", "ers97", "meek-nz", "meek", "meek-exact", "av", "approval", "up-to-n")


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the `count` sub-command."""
    parser = subparsers.add_parser(
        "count",
        help="count a .blt file of papers by a named rule",
        description="Count a .blt file of papers by a named rule; every stage is shown, with the rule numbers.",
    )
    parser.add_argument("file", metavar="FILE.blt", help="the papers; - reads standard input")
    parser.add_argument("--rule", required=True, metavar="NAME", help=f"the rule set: {', '.join(_RULES)}")
    parser.add_argument("--seats", type=int, metavar="N", help="seats to fill, if not those that the file says")
    parser.add_argument("--constraints", metavar="FILE", help="quota places, as JSON")
    parser.add_argument(
        "--lot",
        metavar="FILE|SEED",
        help="order for lots: a file with one name or number a line, most favoured first, or else a public seed to draw it from",
    )
    parser.add_argument("--marks", default="strict", metavar="NAME", help="rule for unusual marks (default: strict, which refuses them)")
    parser.add_argument("--ron", metavar="NAME", help="the candidate (name or number) that is “re-open nominations”")
    parser.add_argument("--withdrawn", metavar="NAME", action="append", default=[], help="a candidate who withdrew; may be repeated")
    output = parser.add_mutually_exclusive_group()
    output.add_argument("--json", action="store_true", help="print the canonical record")
    output.add_argument("--csv", action="store_true", help="print the stage table for a spreadsheet")
    output.add_argument("--html", action="store_true", help="print a page with the table, sentences and charts")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Count and print; the exit code."""
    try:
        text = _output(args)
    except BallotError as error:
        print(f"ballot count: {error}", file=sys.stderr)
        return 2
    except (MemoryError, RecursionError):
        print("ballot count: The file is too large to be counted on this computer.", file=sys.stderr)
        return 2
    try:
        sys.stdout.flush()
        sys.stdout.buffer.write(text)
        sys.stdout.buffer.flush()
    except BrokenPipeError:
        # The reader (a pager) went away, which is no fault; nothing more can be written.
        sys.stderr.close()
    return 0


def _output(args: argparse.Namespace) -> bytes:
    from ballot.count import count
    from ballot.count.blt import read_blt
    from ballot.count.constraints import parse_constraints
    from ballot.count.draw import page, sheet

    profile = read_blt(_read(args.file, _MOST_BYTES), args.marks)
    names = profile.candidates
    profile = profile.without(_candidate(name, names, "withdrawn candidate") for name in args.withdrawn)
    ron = None if args.ron is None else _candidate(args.ron, names, "“re-open nominations”")
    seats = profile.seats if args.seats is None else args.seats
    constraints = None if args.constraints is None else parse_constraints(_read(args.constraints, _MOST_SIDE_BYTES), names)
    lot = None
    if args.lot is not None:
        lot = _lot(args.lot, names)
    elif profile.tie_order is not None:
        # In a .blt the first in [tie ...] loses a tie; our orders begin with the most favoured.
        lot = LotOrder.typed(profile.tie_order[::-1], len(names), "the file's own order for lots")
    record = count(args.rule, profile, seats, ron=ron, constraints=constraints, lot=lot)
    if args.json:
        return record.to_json()
    if args.csv:
        return sheet.csv_sheet(record).encode()
    if args.html:
        return page.page(record).encode()
    return sheet.text_sheet(record, max(60, shutil.get_terminal_size((100, 24)).columns)).encode()


def _read(name: str, most: int) -> bytes:
    """The file's bytes.

    Raises:
        MalformedError: it cannot be read, or is too large.
    """
    try:
        if name == "-":
            data = sys.stdin.buffer.read(most + 1)
        else:
            with Path(name).open("rb") as file:
                data = file.read(most + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "not a possible name"
        raise MalformedError(f"{name} cannot be read: {reason}.") from error
    if len(data) > most:
        raise MalformedError(f"{name} has more than {most} bytes, the most that is read.")
    return data


def _candidate(text: str, names: tuple[str, ...], what: str) -> int:
    """The number (from 0) of the candidate named or numbered (from 1)."""
    if names.count(text) == 1:
        return names.index(text)
    if text.isascii() and text.isdigit() and len(text) < 9 and 1 <= int(text) <= len(names):
        return int(text) - 1
    raise CountError(f"{text[:80]!r} ({what}) is not one of the candidates.")


def _lot(text: str, names: tuple[str, ...]) -> LotOrder:
    try:
        there = Path(text).is_file()
    except (OSError, ValueError):
        there = False
    if not there:
        return LotOrder.from_seed(text.encode("utf-8", "surrogateescape"), names)
    try:
        lines = _read(text, _MOST_SIDE_BYTES).decode("utf-8-sig").splitlines()
    except UnicodeDecodeError as error:
        raise MalformedError("The file with the order for lots is not UTF-8 text.") from error
    order = [_candidate(line.strip().strip('"'), names, "in the order for lots") for line in lines if line.strip()]
    return LotOrder.typed(order, len(names), "drawn in public and typed in")
