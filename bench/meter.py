"""What a program and its children take: processor time and memory, read from /proc while they run."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Self

TICK = os.sysconf("SC_CLK_TCK")


def tree(pid: int) -> list[int]:
    """This process and all that come from it."""
    found = [pid]
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text(encoding="ascii").split():
                found += tree(int(child))
    except OSError:
        pass  # it ended meanwhile
    return found


def memory(pid: int) -> float:
    """Megabytes of one process; what it shares with others counts in parts."""
    try:
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text(encoding="ascii").splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    except OSError:
        pass
    return 0.0


def processor(pids: Sequence[int]) -> float:
    """Seconds of processor time that these processes, and children of theirs that ended, have used."""
    total = 0
    for pid in pids:
        try:
            fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace").rpartition(") ")[2].split()
        except OSError:
            continue
        total += sum(map(int, fields[11:15]))
    return total / TICK


class Peak:
    """The largest memory of a tree of processes, together and of one of them, sampled by a thread while the block runs."""

    def __init__(self, pid: int, every: float = 0.2) -> None:
        self._pid, self._every, self._stop = pid, every, threading.Event()
        self.together = self.single = 0.0
        self._thread = threading.Thread(target=self._sample, daemon=True)

    def _sample(self) -> None:
        while True:
            each = [memory(pid) for pid in tree(self._pid)]
            self.together, self.single = max(self.together, sum(each)), max([self.single, *each])
            if self._stop.wait(self._every):
                return

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()


@dataclass(frozen=True)
class Cost:
    """Seconds by the clock, seconds of processor, megabytes: all processes at their largest together, and the largest single one."""

    wall: float
    cpu: float
    together: float
    single: float

    def words(self) -> str:
        return f"{self.wall:.1f} s ({self.cpu:.1f} cpu), {self.together:.0f} MB"


def command_cost(*command: str | Path, environ: dict[str, str] | None = None, allowed: Sequence[int] = (0,)) -> Cost:
    """What one command takes. Raises: RuntimeError where it ends with another status than the allowed ones."""
    before, begin = os.times(), monotonic()
    process = subprocess.Popen([str(word) for word in command], env=environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    with Peak(process.pid) as peak:
        _, complaint = process.communicate()
    after = os.times()
    if process.returncode not in allowed:
        raise RuntimeError(f"{' '.join(map(str, command))} failed: {complaint.decode(errors='replace')[-800:]}")
    cpu = after.children_user + after.children_system - before.children_user - before.children_system
    return Cost(monotonic() - begin, cpu, peak.together, peak.single)


if __name__ == "__main__":
    print(command_cost(*sys.argv[1:]).words())
