"""`make faults`: the full counts, resumable, and a table of what was tried and what was found.

    python -m tests.faults [--only R1,R5] [--on sqlite|postgresql] [--rounds N] [--seed N] [--state FILE] [--again]

What is done is kept in the state file, so that a run that was interrupted goes on with the next fault. Exit status 1: something
was found.
"""

from __future__ import annotations

import argparse
import importlib
import json
import signal
import sys
import tempfile
import time
import traceback
from contextlib import ExitStack
from pathlib import Path
from types import FrameType
from typing import Any, NoReturn

from tests.faults.fault import BOTH, Fault, Found, place
from tests.support.postgresql import PostgreSQL


def faults() -> list[Fault]:
    """Every fault in this folder, in the order of its number."""
    found = []
    for path in sorted(Path(__file__).parent.glob("test_r*.py")):
        module = importlib.import_module(f"tests.faults.{path.stem}")
        found.append(module.FAULT)
    return found


def run(fault: Fault, kind: str, rounds: int, seed: int, server: PostgreSQL | None) -> dict[str, Any]:
    """One row: tried, timed, and whatever broke the trial itself is a finding too."""
    begin = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="ballot-faults-") as folder:
        try:
            with place(kind, Path(folder), seed=seed, server=None if server is None else lambda: server) as here:
                found = fault.run(rounds, here)
        except Exception:  # noqa: BLE001 - the table says so, and the other faults are still tried
            found = Found(violations=[f"the trial itself broke: {traceback.format_exc()[-1500:]}"])
    minutes = round((time.monotonic() - begin) / 60, 1)
    return {
        "fault": fault.name,
        "on": kind,
        "rounds": found.rounds,
        "violations": found.violations,
        "figures": found.figures,
        "minutes": minutes,
        "seed": seed,
    }


def table(rows: list[dict[str, Any]], known: dict[str, Fault]) -> str:
    """What was tried and what was found, one line a fault and database."""
    lines = [f"{'':4} {'on':10} {'rounds':>7} {'violations':>10} {'minutes':>7}  what, goal and figures"]
    for row in rows:
        fault = known[row["fault"]]
        figures = "; ".join(f"{name}: {value}" for name, value in row["figures"].items())
        counts = f"{row['rounds']:>7,} {len(row['violations']):>10} {row['minutes']:>7}"
        lines.append(f"{row['fault']:4} {row['on']:10} {counts}  {fault.what} → {fault.goal}")
        lines.append(f"{'':43}{figures}")
        lines += [f"{'':43}FOUND: {sentence[-400:]}" for sentence in row["violations"][:10]]
    return "\n".join(lines)


def _stop(_number: int, _frame: FrameType | None) -> NoReturn:
    """Told to stop, it still ends the servers that it started."""
    raise KeyboardInterrupt


def main() -> int:
    signal.signal(signal.SIGTERM, _stop)
    known = {fault.name: fault for fault in faults()}
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description="Run the fault tests at their full counts.")
    parser.add_argument("--only", default=",".join(known), help="names, with commas between (default: all)")
    parser.add_argument("--on", choices=BOTH, help="one database only")
    parser.add_argument("--rounds", type=int, help="instead of each fault's full count")
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--state", type=Path, default=Path("build/faults.jsonl"), help="where results are kept (default: %(default)s)")
    parser.add_argument("--again", action="store_true", help="begin anew instead of going on")
    args = parser.parse_args()
    if unknown := set(args.only.split(",")) - known.keys():
        parser.error(f"there is no {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    args.state.parent.mkdir(parents=True, exist_ok=True)
    if args.again:
        args.state.unlink(missing_ok=True)
    rows = [json.loads(line) for line in args.state.read_text(encoding="utf-8").splitlines()] if args.state.exists() else []
    done = {(row["fault"], row["on"]) for row in rows}
    server: PostgreSQL | None = None
    with ExitStack() as stack:
        for name in args.only.split(","):
            fault = known[name]
            for kind in fault.kinds:
                if args.on not in {None, kind} or (name, kind) in done:
                    continue
                if kind == "postgresql" and server is None:
                    server = PostgreSQL()
                    stack.callback(server.close)
                    server.start()
                rounds = args.rounds or fault.full
                print(f"{name} on {kind}: {rounds:,} rounds of: {fault.what}", file=sys.stderr, flush=True)
                row = run(fault, kind, rounds, args.seed, server)
                rows.append(row)
                with args.state.open("a", encoding="utf-8") as file:
                    file.write(json.dumps(row) + "\n")
                print(table([row], known), file=sys.stderr, flush=True)
    shown = [row for row in rows if row["fault"] in args.only.split(",") and args.on in {None, row["on"]}]
    print(table(shown, known))
    return 1 if any(row["violations"] or not row["rounds"] for row in shown) else 0


if __name__ == "__main__":
    sys.exit(main())
