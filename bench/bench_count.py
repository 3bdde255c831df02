"""Speed of the count: `python -m bench.bench_count`.

The made-up file of 200,000 papers, a real one of 29,988 and the 28 Scottish wards, each counted in a process of its own (reading
the file included, so that memory can be told too), beside pref_voting from PyPI in the same run. Figures that other programs
reached on another machine are printed next to ours for scale.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path

COUNTS = Path(__file__).parent.parent / "tests" / "counts"
DUBLIN = COUNTS / "other" / "dublin-west-2002.blt"
RULES = ("scottish-2011", "ers97", "meek-nz", "meek")
PEER = "pref_voting"
# Seconds on another machine (2 cores), parsing included: Dublin West, the made-up file.
ELSEWHERE = {
    "scottish-2011": "Droop 0.24 / 3.6, OpenSTV 0.15 / 1.9, pyRCV2 (WIGM) 0.09 / 1.6, pref_voting 0.45 / 13.3",
    "ers97": "OpenSTV 0.15 / 2.2, pyRCV2 0.09 / 1.4",
    "meek-nz": "OpenSTV 0.14 / 2.4",
    "meek": "Droop (Meek-PRF) 2.35 / 135, pyRCV2 0.11 / 25.8",
}

_PEER_CODE = """
import json, resource, sys, time
from pathlib import Path
from pref_voting.profiles_with_ties import ProfileWithTies
from pref_voting.proportional_methods import stv_scottish
began = time.perf_counter()
lines = Path(sys.argv[1]).read_text().splitlines()
number, seats = map(int, lines[0].split())
heap = {}
for line in lines[1:]:
    if line == "0":
        break
    weight, *choices = map(int, line.split())
    paper = tuple(choices[:-1])
    heap[paper] = heap.get(paper, 0) + weight
rankings = [{choice: rank for rank, choice in enumerate(paper, 1)} for paper in heap]
profile = ProfileWithTies(rankings, rcounts=list(heap.values()), candidates=list(range(1, number + 1)))
winners = stv_scottish(profile, num_seats=seats)
wall = time.perf_counter() - began
memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(json.dumps([wall, memory, sorted(winners)]))
"""


def made_up(file: Path, *, papers: int = 200_000, candidates: int = 20, seats: int = 9, seed: int = 20240501) -> int:
    """Write the made-up file; how many different papers it has.

    Candidate i has weight 1 / (1 + 0.35 i); a paper is drawn without replacement and is 1 + an exponential number (mean 5) long.
    """
    rng = random.Random(seed)
    weights = [1 / (1 + 0.35 * index) for index in range(candidates)]
    different = set()
    with file.open("w") as target:
        target.write(f"{candidates} {seats}\n")
        for _ in range(papers):
            length = min(candidates, 1 + int(rng.expovariate(1 / 5)))
            keys = [rng.random() ** (1 / weight) for weight in weights]
            paper = tuple(sorted(range(1, candidates + 1), key=lambda index: -keys[index - 1])[:length])
            different.add(paper)
            target.write(f"1 {' '.join(map(str, paper))} 0\n")
        target.write("0\n" + "".join(f'"Candidate {index}"\n' for index in range(1, candidates + 1)) + '"Made up"\n')
    return len(different)


def one(rule: str, file: Path) -> None:
    """Count one file and print seconds, megabytes and winners: what a child process does."""
    import resource

    began = time.perf_counter()
    from ballot.count import LotOrder, count
    from ballot.count.blt import read_blt

    profile = read_blt(file.read_bytes())
    record = count(rule, profile, profile.seats, lot=LotOrder.from_seed("bench", profile.candidates))
    record.to_json()
    wall = time.perf_counter() - began
    memory = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
    print(json.dumps([wall, memory, sorted(winner + 1 for winner in record.winners)]))


def wards() -> tuple[float, int]:
    """Seconds for all wards together (reading included), and how many there are."""
    from ballot.count import count
    from ballot.count.blt import read_blt

    files = sorted((COUNTS / "scotland-2017").glob("*.blt"))
    began = time.perf_counter()
    for file in files:
        profile = read_blt(file.read_bytes())
        count("scottish-2011", profile, profile.seats).to_json()
    return time.perf_counter() - began, len(files)


def best(command: list[str], runs: int) -> tuple[float, int, list[int]]:
    """The quickest of several runs, as it was disturbed least."""
    found = []
    for _ in range(runs):
        done = subprocess.run(command, capture_output=True, check=True, cwd=Path(__file__).parent.parent)
        found.append(json.loads(done.stdout))
    wall, memory, winners = min(found)
    return wall, memory, winners


def peer_python(given: str | None) -> str | None:
    """An interpreter that has the peer: the one given, or an environment made beside ours; None if it cannot be had."""
    if given:
        return given
    folder = Path(sys.prefix) / "bench-peer"
    python = folder / ("Scripts" if os.name == "nt" else "bin") / "python"
    if not python.exists():
        venv.create(folder, with_pip=True)
    done = subprocess.run([str(python), "-m", "pip", "install", "--quiet", PEER], capture_output=True, check=False)
    return str(python) if done.returncode == 0 else None


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(prog="python -m bench.bench_count")
    parser.add_argument("--runs", type=int, default=3, help="the best of so many runs counts (default: %(default)s)")
    parser.add_argument("--peer-python", help=f"an interpreter that has {PEER} installed")
    parser.add_argument("--no-peer", action="store_true", help="leave the peer out")
    parser.add_argument("--one", nargs=2, metavar=("RULE", "FILE"), help=argparse.SUPPRESS)
    args = parser.parse_args()
    if args.one:
        one(args.one[0], Path(args.one[1]))
        return
    with tempfile.TemporaryDirectory(prefix="ballot-bench-") as name:
        file = Path(name) / "made-up.blt"
        different = made_up(file)
        print(f"Counting: seconds on one core, reading the file included; best of {args.runs} runs.")
        print(f"Made-up file: 200,000 papers ({different} different), 20 candidates, 9 seats. Dublin West 2002: 29,988 papers, 9, 3.\n")
        print(f"{'rule':<26}{'Dublin West':>12}{'made-up':>9}{'MB':>6}  elsewhere, other machine (Dublin West / made-up)")
        me = [sys.executable, "-m", "bench.bench_count", "--one"]
        winners: dict[str, list[int]] = {}
        for rule in RULES:
            dublin, _, _ = best([*me, rule, str(DUBLIN)], args.runs)
            wall, memory, winners[rule] = best([*me, rule, str(file)], args.runs)
            print(f"{'ballot ' + rule:<26}{dublin:>12.2f}{wall:>9.2f}{memory:>6}  {ELSEWHERE[rule]}", flush=True)
        if not args.no_peer:
            python = peer_python(args.peer_python)
            if python is None:
                print(f"{PEER} could not be installed here, so there is no peer in this run.")
            else:
                dublin, _, _ = best([python, "-c", _PEER_CODE, str(DUBLIN)], args.runs)
                wall, memory, theirs = best([python, "-c", _PEER_CODE, str(file)], 1)
                same = "same winners" if theirs == winners["scottish-2011"] else f"other winners: {theirs}"
                print(f"{PEER + ' Scottish':<26}{dublin:>12.2f}{wall:>9.2f}{memory:>6}  in this run, on this machine; {same}")
    seconds, number = wards()
    print(f"\nAll {number} Scottish wards together, every stage recorded: {seconds:.2f} s.")


if __name__ == "__main__":
    main()
