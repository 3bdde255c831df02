"""`make load`: the real service under honest members, and under junk beside them, on SQLite and on PostgreSQL.

Four phases on each database, every ballot sealed beforehand and every proof verified before its receipt:

    most     a few clients send one ballot after another, as fast as they are answered
    steady   members come evenly, at 70 % of the wanted rate
    junk     the same, while others flood the site with malformed bodies, wrong tokens, and good tokens with bad proofs
    rush     members come in the last minutes, in five-fold peaks, and some after the close

Afterwards the archive is downloaded: every receipt stands in it once, nothing else does, our verifier accepts it, and so does
`ballot audit-store`. Exit status 1 where that fails, or a member's attempt stayed without an answer. Speed decides nothing there.
Clients and service share the machine; what each takes of the processors is measured and printed.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import math
import os
import platform
import random
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ballot.protocol.archive import Entry, read_archive
from ballot.protocol.messages import Event
from ballot.protocol.receipts import hash_of_tracker
from bench import plot
from bench.clients import Plan
from bench.common import BALLOT
from bench.meter import Peak, processor, tree
from bench.site import Open, a_database, opened

PROCESSES = 3  # of clients, in the phases in which members come by themselves
JUNK_CLIENTS = 8
JUNK_MEMBERS = 20  # who only ever send bad proofs
WANTED = {"sqlite": 100, "postgresql": 150}  # casts a second
LATE = 1 / 50  # of the members of the rush come after the close


@dataclass
class Phase:
    """One phase's figures. Times in seconds; `cpu` of the service, the database's server and the clients."""

    name: str
    took: float
    answers: list[dict[str, Any]]
    cpu: tuple[float, float, float]
    memory: float
    junk: Counter[int] = field(default_factory=Counter)

    @property
    def accepted(self) -> list[dict[str, Any]]:
        return [answer for answer in self.answers if answer["status"] == 200]

    def percentile(self, part: float) -> float:
        times = sorted(answer["took"] for answer in self.answers)
        return times[min(int(part * len(times)), len(times) - 1)] if times else 0.0

    def row(self) -> tuple[str, ...]:
        refused = Counter(answer["status"] for answer in self.answers if answer["status"] != 200)
        others = ", ".join(f"{count}×{status or 'none'}" for status, count in sorted(refused.items())) or "–"
        junk = f"{sum(self.junk.values()) / self.took:.0f}/s" if self.junk else ""
        number = max(len(self.accepted), 1)
        service, server, clients = (1000 * seconds / number for seconds in self.cpu)
        return (
            self.name,
            f"{len(self.accepted):,}",
            f"{len(self.accepted) / self.took:.0f}/s",
            *(f"{1000 * self.percentile(part):.0f}" for part in (0.5, 0.95, 0.99)),
            others,
            f"{sum(answer['tries'] > 1 for answer in self.answers)}",
            junk,
            f"{service:.1f}",
            f"{server:.1f}",
            f"{clients:.1f}",
            f"{self.memory:.0f}",
        )


HEADINGS = (
    "phase", "receipts", "rate", "p50 ms", "p95 ms", "p99 ms", "refused", "tried again", "junk",
    "service", "server", "clients", "MB",
)  # fmt: skip


class Bench:
    """One open election on one running site."""

    def __init__(self, site: Open, pid: int, server: int | None) -> None:
        self.site, self.pid, self.server = site, pid, server
        self.bodies = site.requests.read_bytes().splitlines()
        self.sent = 0
        self.receipts: list[dict[str, Any]] = []
        self.number = 0

    def take(self, count: int) -> list[bytes]:
        """The next members' requests."""
        self.sent += count
        return self.bodies[self.sent - count : self.sent]

    def _start(self, plan: Plan, bodies: Sequence[bytes]) -> tuple[subprocess.Popen[bytes], Path]:
        self.number += 1
        name = self.site.folder / f"clients-{self.number}"
        plan.requests, plan.out = f"{name}.requests", f"{name}.answers"
        Path(plan.requests).write_bytes(b"\n".join(bodies))
        Path(f"{name}.json").write_text(json.dumps(asdict(plan)), encoding="utf-8")
        return subprocess.Popen([sys.executable, "-m", "bench.clients", f"{name}.json"]), Path(plan.out)

    def _plan(self, clients: int, begin: float, **more: Any) -> Plan:
        return Plan(self.site.port, f"/vote/{self.site.uuid}/cast", "", "", clients, begin, **more)

    def run(
        self,
        name: str,
        bodies: list[bytes],
        *,
        clients: int,
        times: list[float] | None = None,
        junk: Sequence[bytes] = (),
        begin: float | None = None,
    ) -> Phase:
        """One phase: these members, at these times (or one after another), with this junk beside them."""
        begin = begin or time.time() + 1.5
        processes = PROCESSES if times else 1
        started = []
        for part in range(processes):
            mine = times[part::processes] if times else None
            started.append(self._start(self._plan(clients // processes, begin, times=mine), bodies[part::processes]))
        floods = []
        if junk:
            until = max(times) if times else 30.0
            floods.append(self._start(self._plan(JUNK_CLIENTS, begin, until=until, junk=True), junk))
        time.sleep(max(begin - time.time(), 0))
        service, server = tree(self.pid), tree(self.server) if self.server else []
        before = processor(service), processor(server), os.times()
        with Peak(self.pid, every=0.5) as peak:
            for process, _ in (*started, *floods):
                if process.wait() != 0:
                    raise RuntimeError("the clients failed")
        answers = [json.loads(line) for _, out in started for line in out.read_text(encoding="utf-8").splitlines()]
        end = max(answer["at"] + answer["took"] for answer in answers)
        after = processor(service), processor(tree(self.server) if self.server else []), os.times()
        clients_cpu = after[2].children_user + after[2].children_system - before[2].children_user - before[2].children_system
        seen = Counter(json.loads(line)["status"] for _, out in floods for line in out.read_text(encoding="utf-8").splitlines())
        phase = Phase(name, end, answers, (after[0] - before[0], after[1] - before[1], clients_cpu), peak.together, seen)
        self.receipts += [json.loads(answer["answer"]) for answer in phase.accepted]
        return phase


def junk_of(bodies: Sequence[bytes], spoilt: Sequence[bytes]) -> list[bytes]:
    """Junk of every kind: nonsense, wrong tokens with somebody's ballot, good tokens with a proof that was changed."""
    luck = random.Random(7)
    found = [b"{", b"[" * 5000, b"\xff" * 1000, b'{"token":1,"ballot":2}', b"x" * 200_000, b'{"token":"","ballot":""}']
    for body in bodies[:20]:
        request = json.loads(body)
        found.append(json.dumps(request | {"token": request["token"][:-6] + "AAAAAA"}).encode())
    for body in spoilt:
        request = json.loads(body)
        ballot = json.loads(request["ballot"])
        proof = ballot["answers"][0]["individual_proofs"][0][0]
        proof["response"] = str(int(proof["response"]) // 2)
        found.append(json.dumps(request | {"ballot": json.dumps(ballot, separators=(",", ":"))}).encode())
        proof["challenge"] = str(int(proof["challenge"]) // 2)  # another wrong one, on top
        found.append(json.dumps(request | {"ballot": json.dumps(ballot, separators=(",", ":"))}).encode())
    luck.shuffle(found)
    return found


def even(count: int, rate: float) -> list[float]:
    """When members come who know nothing of each other, at this rate a second on average."""
    luck, at, times = random.Random(1), 0.0, []
    for _ in range(count):
        at += luck.expovariate(rate)
        times.append(at)
    return times


def rush(count: int, seconds: float) -> list[float]:
    """So many members before the close, in these seconds: a fifth of the time, in three peaks, has five times the rate of the
    rest. One in fifty comes too late.
    """
    luck, times = random.Random(2), []
    peaks = [(seconds * at, seconds / 15) for at in (0.2, 0.55, 1 - 1 / 15)]  # the last one ends with the close
    for _ in range(count):
        if luck.random() < LATE:
            times.append(seconds * (1 + 0.05 * luck.random()))
        elif luck.random() < 5 / 9:  # a fifth of the time at five-fold rate: 5 of (5 + 4) parts
            begin, length = luck.choice(peaks)
            times.append(begin + luck.random() * length)
        else:
            times.append(luck.random() * seconds)
    return sorted(times)


# --- what must hold afterwards ------------------------------------------------------------------------------------------


def complaints(bench: Bench, phases: Sequence[Phase]) -> Iterator[str]:
    """Every invariant that does not hold, in a sentence."""
    for phase in phases:
        lost = [answer for answer in phase.answers if answer["status"] == 0 or answer["status"] >= 500]
        if lost:
            yield f"{phase.name}: {len(lost)} attempts of members stayed without an answer"
        odd = [a for a in phase.answers if a["status"] not in {200, 0} and a["status"] < 500 and not _says_closed(a)]
        if odd:
            yield f"{phase.name}: {len(odd)} members were refused for no good reason, the first: {odd[0]['answer'][:200]}"
        if bad := {status for status in phase.junk if not 400 <= status < 500}:
            yield f"{phase.name}: junk was answered with {sorted(bad)}"
    archive = bench.site.folder / f"{bench.site.uuid}.bel"
    address = f"http://127.0.0.1:{bench.site.port}/e/{bench.site.uuid}.bel"
    with urllib.request.urlopen(address, timeout=600) as answer, archive.open("wb") as file:
        while piece := answer.read(1 << 20):
            file.write(piece)
    ballots: Counter[str] = Counter()
    with archive.open("rb") as file:
        for item in read_archive(file):
            if isinstance(item, Entry) and item.kind == "event":
                event = Event.parse(item.data)
                if event.type == "Ballot":
                    ballots[str(event.payload)] += 1
    wanted = Counter(hash_of_tracker(receipt["ballot"]) for receipt in bench.receipts)
    if wanted != ballots:
        yield f"{len(bench.receipts)} receipts, {sum(ballots.values())} ballots in the archive; they are not the same"
    receipts = bench.site.folder / "receipts.jsonl"
    receipts.write_text("".join(json.dumps(receipt) + "\n" for receipt in bench.receipts), encoding="utf-8")
    verified = subprocess.run([*BALLOT, "verify", str(archive)], capture_output=True, text=True, check=False)
    if verified.returncode != 3:  # all that is there holds, and the count is still to come
        yield f"the verifier says: {verified.stdout[-300:]}{verified.stderr[-300:]}"
    audit = [*BALLOT, "audit-store", "--receipts", str(receipts), "--skip", "I6"]  # I6 is the verifier's word, which was heard
    audited = subprocess.run(audit, env=bench.site.environ, capture_output=True, text=True, check=False)
    if audited.returncode != 0:
        yield f"audit-store says: {audited.stdout[-600:]}{audited.stderr[-300:]}"


def _says_closed(answer: dict[str, Any]) -> bool:
    return answer["status"] < 500 and "closed" in answer["answer"].lower()


# --- everything ---------------------------------------------------------------------------------------------------------


def load(kind: str, folder: Path, args: argparse.Namespace) -> tuple[list[Phase], list[str]] | None:
    """All phases on one kind of database; None where it is not installed."""
    rate = args.rate or 0.7 * WANTED[kind]
    steady = round(rate * args.seconds)
    voters = args.casts + 2 * steady + args.members + JUNK_MEMBERS + 50
    with a_database(kind, folder) as found:
        if found is None:
            return None
        url, server = found
        site = opened(folder / "site", url, voters=voters)
        phases: list[Phase] = []
        with site.served(args.workers, args.threads) as pid:
            bench = Bench(site, pid, server)
            bench.run("warm", bench.take(50), clients=8)
            spoilt = bench.take(JUNK_MEMBERS)
            junk = junk_of(bench.bodies[-20:], spoilt)
            for name, members in (("most", args.casts), ("steady", steady), ("junk", steady), ("rush", args.members)):
                if not members or name not in args.phases:
                    continue
                bodies = bench.take(members)
                if name == "most":
                    phases.append(bench.run(name, bodies, clients=16))
                elif name == "rush":
                    times = rush(members, args.rush)
                    begin = math.ceil(time.time()) + 2.0
                    site.close_at(datetime.fromtimestamp(begin, UTC) + timedelta(seconds=args.rush))
                    phases.append(bench.run(name, bodies, clients=96, times=times, begin=begin))
                else:
                    phases.append(bench.run(name, bodies, clients=48, times=even(members, rate), junk=junk if name == "junk" else ()))
                print(f"  {'  '.join(phases[-1].row())}", flush=True)
            return phases, list(complaints(bench, phases))


def main() -> int:
    """Run what was asked for; print a table, leave a plot, and say what does not hold."""
    parser = argparse.ArgumentParser(prog="python -m bench.load", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", choices=list(WANTED), action="append", help="which (default: both, one after the other)")
    parser.add_argument("--phases", nargs="+", choices=["most", "steady", "junk", "rush"], default=["most", "steady", "junk", "rush"])
    parser.add_argument("--casts", type=int, default=3000, help="ballots of the first phase (default: %(default)s)")
    parser.add_argument("--seconds", type=float, default=60, help="length of the second and third phase (default: %(default)s)")
    parser.add_argument("--rate", type=float, help="members a second there (default: 70 %% of what is wanted of the database)")
    parser.add_argument("--members", type=int, default=10_000, help="who come in the rush (default: %(default)s)")
    parser.add_argument("--rush", type=float, default=600, help="seconds in which they come (default: %(default)s)")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--threads", type=int, default=4)
    parser.add_argument("--short", action="store_true", help="the same in about two minutes")
    parser.add_argument("--out", type=Path, default=Path("build/load"), help="where table and plot are left (default: %(default)s)")
    args = parser.parse_args()
    if args.short:
        args.casts, args.seconds, args.members, args.rush = min(args.casts, 600), min(args.seconds, 10), min(args.members, 600), 20
    print(f"{platform.machine()}, {os.cpu_count()} processors shared by clients, service and database; Python {platform.python_version()}")
    tables, curves, wrong = [HEADINGS], {}, []
    for kind in args.database or list(WANTED):
        print(f"{kind} …", flush=True)
        with contextlib.ExitStack() as stack:
            folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ballot-load-")))
            folder.chmod(0o755)
            done = load(kind, folder / kind, args)
        if done is None:
            print("PostgreSQL is not installed")
            continue
        for phase in done[0]:
            row = phase.row()
            tables.append((f"{kind} {row[0]}", *row[1:]))
            points = [(100 * part, max(1000 * phase.percentile(part), 0.1)) for part in [k / 100 for k in range(1, 100)] + [0.995, 0.999]]
            curves[f"{kind} {phase.name}"] = points
        wrong += [f"{kind}: {sentence}" for sentence in done[1]]
    widths = [max(len(row[i]) for row in tables) for i in range(len(HEADINGS))]
    text = "\n".join("  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True)) for row in tables)
    text += "\nservice, server, clients: milliseconds of processor for each receipt; MB: of the service, at most.\n"
    good = "Every receipt is in its archive once, nothing else is, and every check of it holds.\n"
    text += "".join(f"WRONG: {sentence}\n" for sentence in wrong) or good
    print(f"\n{text}", end="")
    args.out.mkdir(parents=True, exist_ok=True)
    (args.out / "load.txt").write_text(text, encoding="utf-8")
    plot.lines(args.out / "load.svg", "Answer times", "part of the members answered, %", "milliseconds", curves, log_y=True)
    print(f"{args.out / 'load.txt'}, {args.out / 'load.svg'}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
