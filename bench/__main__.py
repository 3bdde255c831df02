"""`python -m bench`: every figure in one run on one machine, beside Belenios's own tool where there is a peer."""

from __future__ import annotations

import argparse
import importlib.util
import os
import platform
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import casts, protocol
from bench.common import peer

PARTS = ["protocol", "casts", "booth", "keyholder", "browser", "count"]


def table(rows: list[tuple[str, ...]]) -> str:
    """Columns, aligned."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip() for row in rows)


def main() -> None:
    """Run what was asked for, and print it."""
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("--voters", type=int, default=2000, help="ballots in the archive (default: %(default)s)")
    parser.add_argument("--casts", type=int, default=2000, help="ballots cast on the running service (default: %(default)s)")
    parser.add_argument("--runs", type=int, default=3, help="the best of so many runs counts (default: %(default)s)")
    parser.add_argument("--only", choices=PARTS, action="append")
    args = parser.parse_args()
    wanted = args.only or PARTS
    tool = peer()
    print(
        f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}, "
        f"belenios-tool {tool[1] if tool else 'not installed'}\n",
        flush=True,
    )
    with tempfile.TemporaryDirectory(prefix="ballot-bench-") as name:
        folder = Path(name)
        if "protocol" in wanted:
            print(f"One motion with abstention and one ranked question of 10; {args.voters} ballots, 3 trustees; best of {args.runs}.")
            rows = protocol.bench(folder, voters=args.voters, runs=args.runs)
            print(table([("", "ballot", "belenios-tool", "faster"), *rows]) + "\n", flush=True)
        if "casts" in wanted:
            print(f"{args.casts} honest ballots cast on the running service (2 gunicorn workers; the clients share the machine).")
            print(f"SQLite      {casts.casts('sqlite', folder / 'sqlite', voters=args.casts)}", flush=True)
            folder.chmod(0o755)  # PostgreSQL runs as another account
            print(f"PostgreSQL  {casts.casts('postgresql', folder / 'postgresql', voters=args.casts)}\n", flush=True)
    for part in ("booth", "keyholder", "browser", "count"):
        if part in wanted and importlib.util.find_spec(f"bench.bench_{part}"):
            subprocess.run([sys.executable, "-m", f"bench.bench_{part}"], check=True)
            print(flush=True)


if __name__ == "__main__":
    main()
