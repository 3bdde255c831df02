"""What the benchmarks share: a clock for whole commands, and Belenios's own tool where it is installed."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from tests.support.belenios import installed

BALLOT = (sys.executable, "-m", "ballot.cli")


@dataclass(frozen=True)
class Timed:
    """One command's best wall-clock time of several runs, and the processor time of that run, in seconds."""

    wall: float
    cpu: float
    output: bytes


def time_command(*command: str | Path, runs: int = 1, environ: dict[str, str] | None = None) -> Timed:
    """Run a command to its end; the best of several runs counts, as it was disturbed least."""
    best: Timed | None = None
    for _ in range(runs):
        before = os.times()
        begin = time.perf_counter()
        done = subprocess.run([str(word) for word in command], capture_output=True, check=False, env=environ)
        wall = time.perf_counter() - begin
        after = os.times()
        if done.returncode != 0:
            raise RuntimeError(f"{' '.join(map(str, command))} failed: {done.stderr.decode(errors='replace')[-500:]}")
        cpu = after.children_user + after.children_system - before.children_user - before.children_system
        if best is None or wall < best.wall:
            best = Timed(wall, cpu, done.stdout)
    if best is None:
        raise RuntimeError("no run at all")
    return best


def peer() -> tuple[Path, str] | None:
    """The newest installed belenios-tool of protocol v1, with its version."""
    found = sorted((version, path) for path, version in installed().items() if (3, 0) <= version < (4,))
    return (found[-1][1], ".".join(map(str, found[-1][0]))) if found else None
