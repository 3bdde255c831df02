"""`ballot verify`: check a published election from its file alone.

Exit status: 0 verified; 1 refused, and the last line says by which rule, where, why and who is at fault; 2 the file cannot
be used; 3 a good beginning of an election that is not finished.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import re
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import FrameType
from typing import BinaryIO, Final, TextIO

from ballot import executors
from ballot.errors import UnusableInputError
from ballot.verifier.report import Outcome, Rankings, Report
from ballot.verifier.rules import Step
from ballot.verifier.verify import verify_archive

_MAX_BESIDE: Final = 1 << 31  # bytes; the companion proofs of a million ballots are a fifth of it
_PIN = re.compile(r"(0|[1-9][0-9]{0,14}):([0-9a-f]{64})", re.ASCII)


def _pin(text: str) -> tuple[int, str]:
    match = _PIN.fullmatch(text)
    if not match:
        raise argparse.ArgumentTypeError(f"{text[:80]!r} is not HEIGHT:HASH, with 64 lower-case hexadecimal digits")
    return int(match[1]), match[2]


def _jobs(text: str) -> int:
    if not text.isascii() or not text.isdigit() or not 1 <= int(text[:5]) <= 512:
        raise argparse.ArgumentTypeError("the number of processes is from 1 to 512")
    return int(text)


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> argparse.ArgumentParser:
    """Declare the command's arguments."""
    parser = subparsers.add_parser(
        "verify",
        help="check a published election, from its file alone",
        description="Check everything that a published election's file can prove, in numbered steps.",
        epilog="exit status: 0 verified, 1 refused, 2 the file cannot be used, 3 not finished yet",
    )
    parser.add_argument("file", metavar="FILE.bel", type=Path, help="the election's archive")
    parser.add_argument("--companion", metavar="FILE", type=Path,
                        help="companion proofs (default: <uuid>.companion.json beside the archive)")
    parser.add_argument("--results", metavar="FILE", type=Path,
                        help="the published file of results (default: <uuid>.results.json beside the archive)")
    parser.add_argument("--pin", metavar="HEIGHT:HASH", type=_pin, action="append", default=[],
                        help="an event seen before, from a receipt or checkpoint; it must still be there (may be repeated)")
    parser.add_argument("--jobs", metavar="N", type=_jobs, help="processes to use (default: all processors)")
    executors.add_argument(parser)
    parser.add_argument("--json", action="store_true", help="print the report as JSON")
    return parser


class _Bar:
    """One line on a terminal that says which step is at work; nothing anywhere else."""

    def __init__(self, out: TextIO) -> None:
        self._out, self._shows, self._text = out, out.isatty(), ""

    def __call__(self, step: Step, fraction: float | None) -> None:
        if not self._shows:
            return
        bar = "" if fraction is None else f" [{'#' * round(20 * fraction):<20}] {fraction:4.0%}"
        text = f"{step.number} {step.title}{bar}"
        if text != self._text:
            self._out.write(f"\r\x1b[K{text}")
            self._out.flush()
            self._text = text

    def clear(self) -> None:
        """Leave the line empty."""
        if self._text:
            self._out.write("\r\x1b[K")
            self._out.flush()


def _open(path: Path) -> BinaryIO:
    try:
        if path.is_dir():
            raise UnusableInputError(f"{path}: this is a directory; give the .bel file in it.")
        return path.open("rb")
    except (OSError, ValueError) as error:  # ValueError: a NUL in the name
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise UnusableInputError(f"{path}: {reason}.") from error


def _beside(path: Path | None, archive: Path, suffix: str) -> bytes | None:
    """A second file's bytes: the named one, or the one beside the archive if there is one."""
    beside = archive.with_name(archive.name.removesuffix(".bel") + suffix)
    if path is None and not beside.exists():
        return None
    with _open(path or beside) as file:
        try:
            data = file.read(_MAX_BESIDE)
        except OSError as error:
            raise UnusableInputError(f"{path or beside}: {error.strerror or error}.") from error
    if not data:
        raise UnusableInputError(f"{path or beside}: the file is empty.")
    return data


def _plain(text: str) -> str:
    """Text from the file as it may stand on a terminal: no control characters, not too long."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text[:200])


def _print(report: Report) -> None:
    if report.uuid is not None:
        print(f"Election     {report.uuid}  {_plain(report.name or '')}")
        print(f"Fingerprint  {report.fingerprint}")
    if report.head is not None:
        print(f"Last event   {report.height}:{report.head}")
    for step in Step:
        failed = report.refusal is not None and step not in report.steps
        mark = "holds" if step in report.steps else "—"
        words = report.steps.get(step, "not reached, or not whole" if failed else "nothing there yet")
        print(f"{step.number}  {mark:<5}  {step.title}: {words}")
    for number, question in enumerate(report.result or (), 1):
        print(f"Question {number}: {_plain(question.question)}")
        if verdict := report.verdicts[number - 1]:
            print(f"    {_plain(verdict)}")
        if isinstance(question, Rankings):
            print(f"    {len(question.rankings):,} rankings of {len(question.answers)} choices; {question.invalid:,} invalid papers")
            continue
        for answer, votes in zip(question.answers, question.totals, strict=True):
            print(f"    {votes:>9,}  {_plain(answer)}")
        if question.blank is not None:
            print(f"    {question.blank:>9,}  (blank)")
    for note in report.notes:
        print(f"Note: {note}")


def _leave_interrupts_to_the_parent(parent: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    executors.end_with(parent)


@contextmanager
def _workers(jobs: int | None) -> Iterator[ProcessPoolExecutor]:
    """Processes that end at once, without a word, when the person at the terminal interrupts."""

    def stop(_signal: int, _frame: FrameType | None) -> None:
        for child in multiprocessing.active_children():
            child.terminate()
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGINT, stop)
    try:
        with ProcessPoolExecutor(jobs, initializer=_leave_interrupts_to_the_parent, initargs=(os.getpid(),)) as executor:
            yield executor
    finally:
        signal.signal(signal.SIGINT, before)


def run(args: argparse.Namespace) -> int:
    """Verify, print, and return the exit status."""
    bar = _Bar(sys.stderr)
    with ExitStack() as stack:
        file = stack.enter_context(_open(args.file))
        companion = _beside(args.companion, args.file, ".companion.json")
        results = _beside(args.results, args.file, ".results.json")
        executor: Executor | None = None
        if args.executor is not None:
            executor = stack.enter_context(executors.dask(args.executor))
        elif args.jobs != 1:
            executor = stack.enter_context(_workers(args.jobs))
        report = verify_archive(
            file, companion=companion, results=results, executor=executor, pins=args.pin, progress=bar
        )
    bar.clear()
    if report.outcome is Outcome.UNUSABLE:
        raise UnusableInputError(f"{args.file}: {report.sentence}.")
    if args.json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=1))
    else:
        _print(report)
        print(_plain(report.verdict()))
    return report.outcome.status
