"""`make size`: what an election of 1,000 to 100,000 ballots costs, and how each cost grows.

One motion, one ranked question of ten, three key-holders; made by `ballot simulate`, checked, shuffled, opened and counted by the
commands, then put into a site's database, voted in, counted and published by the service. Each figure is kept in OUT as soon as it
is there, so that a run that was stopped goes on where it stood; `--fresh` begins anew. Exit status 1 where a page takes over a
second or anything over 2 GB.
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import platform
import shutil
import sys
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path

from sqlmodel import select

from ballot.config import Config
from ballot.models import Election, ElectionState, Job, RollEntry
from ballot.protocol.archive import Header, read_archive
from ballot.protocol.ballots import create_ballot, tracker
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import CompanionFile, Event, Owned
from ballot.services import board, jobs, lifecycle
from ballot.services.clock import SystemClock
from ballot.services.jobs import Kind, Tools
from ballot.services.journal import Actor
from ballot.services.mail import Mailer
from ballot.services.startup import prepare
from ballot.services.tokens import make_voting_token
from ballot.simulate import random_choices
from bench import plot
from bench.common import BALLOT
from bench.fill import fill
from bench.meter import Cost, Peak, command_cost, processor, tree
from bench.site import Open
from tests.support.ports import free_port

MORE = 50  # members who vote when the others have
TIMES = 20  # requests of each page
BOUND, PAGE_BOUND = 2000, 1.0  # megabytes, seconds
OFFICER = Actor("bench", "returning-officer")
QUESTIONS = Path(__file__).with_name("questions.json")

Figures = dict[str, dict[str, float]]


class Size:
    """One number of ballots."""

    def __init__(self, ballots: int, out: Path, work: Path, jobs_: int) -> None:
        self.ballots, self.jobs = ballots, jobs_
        self.kept, self.folder = out / f"{ballots}.json", work / str(ballots)
        self.figures: Figures = json.loads(self.kept.read_text(encoding="utf-8")) if self.kept.exists() else {}

    @property
    def election(self) -> Path:
        return self.folder / "election"

    @property
    def archive(self) -> Path:
        return next(self.election.glob("*.bel"))

    def measure(self, what: str, how: Callable[[], Cost]) -> None:
        """The figure, unless it is there from an earlier run."""
        if what not in self.figures:
            print(f"  {self.ballots:>9,}  {what} …", end=" ", flush=True)
            cost = how()
            print(cost.words(), flush=True)
            self.keep(what, asdict(cost))

    def keep(self, what: str, figures: dict[str, float]) -> None:
        self.figures[what] = figures
        self.kept.write_text(json.dumps(self.figures, indent=1), encoding="utf-8")

    # --- commands ---------------------------------------------------------------------------------------------------

    def commands(self) -> None:
        """What the commands take on the archive alone."""
        if not self.election.exists():
            self.figures.pop("simulate", None)
        sizes = ("--voters", str(self.ballots + MORE), "--turnout", str(self.ballots), "--questions", QUESTIONS, "--trustees", "3")
        simulate = (*BALLOT, "simulate", self.election, *sizes, "--seed", "size", "--jobs", str(self.jobs))
        self.measure("simulate", lambda: command_cost(*simulate))
        self.measure("verify", lambda: command_cost(*BALLOT, "verify", self.archive, "--jobs", str(self.jobs)))
        part, key = (sys.executable, "-m", "bench.part"), self.election / "secret" / "trustee-1.key"
        for what in ("shuffle", "decrypt"):
            self.measure(f"{what} by one", lambda what=what: command_cost(*part, what, self.archive, "1", key))
        self.measure("count", lambda: command_cost(*part, "count", self.archive))

    # --- the service -------------------------------------------------------------------------------------------------

    def service(self, *, pages_only: bool = False) -> None:
        """The life of the same election on a site, from the open box to the published pages, or those alone."""
        if "pages" in self.figures:
            return
        site = self._site()
        if pages_only:
            if "fill a database" not in self.figures or not site.folder.exists():
                self._fill(site, "Result")
        elif "publish" not in self.figures:
            self._fill(site, "Ballot")
            self._cast(site)
            self._count(site)
        self._pages(site)
        shutil.rmtree(self.folder / "site")

    def _site(self) -> Open:
        folder, port = self.folder / "site", free_port()
        environ = {name: value for name, value in os.environ.items() if not name.startswith("BALLOT_")} | {
            "BALLOT_DATA": str(folder / "data"),
            "BALLOT_KEYS": str(folder / "keys"),
            "BALLOT_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "BALLOT_SMTP_HOST": "127.0.0.1",
            "BALLOT_SMTP_FROM": "ballots@example.org",
        }
        environ["BALLOT_DATABASE_URL"] = f"sqlite:///{folder / 'data' / 'ballot.sqlite3'}"
        return Open(folder, environ, port, self.archive.stem, Path())

    def _tools(self, site: Open) -> Tools:
        config = Config.from_environ(site.environ)
        database, keys = prepare(config)
        return Tools(config, database, keys, Mailer(config, keys), SystemClock())

    def _fill(self, site: Open, until: str) -> None:
        shutil.rmtree(site.folder, ignore_errors=True)
        self.figures = {what: cost for what, cost in self.figures.items() if what in _COMMANDS}
        begin, tools = time.monotonic(), self._tools(site)
        with Peak(os.getpid()) as peak:
            fill(tools.database, self.election, until=until)
        self.keep("fill a database", asdict(Cost(time.monotonic() - begin, 0.0, peak.together, peak.single)))
        tools.database.dispose()

    def _cast(self, site: Open) -> None:
        """The last members vote, on a copy that is thrown away: their ballots are not in the key-holders' messages."""
        shutil.copytree(site.folder / "data", site.folder / "data-before")
        with site.served() as pid, Peak(pid) as peak:
            self.keep("casts", self._casts(site) | {"together": peak.together, "single": peak.single})
        shutil.rmtree(site.folder / "data")
        (site.folder / "data-before").rename(site.folder / "data")

    def _casts(self, site: Open) -> dict[str, float]:
        tools, rng = self._tools(site), SystemRng()
        setup = board.load_setup(tools.database, site.uuid)
        codes = (self.election / "secret" / "codes.txt").read_text(encoding="ascii").split()
        with tools.database.read() as session:
            numbers = [f"M{number}" for number in range(self.ballots, self.ballots + MORE)]
            found = {entry.number: entry for entry in session.exec(select(RollEntry).where(RollEntry.number.in_(numbers))).all()}  # type: ignore[attr-defined]
        times = []
        for number in range(self.ballots, self.ballots + MORE):
            choices = [random_choices(question, rng) for question in setup.election.questions]
            ballot = create_ballot(setup.election, codes[number], choices, rng).to_bytes().decode()
            token = make_voting_token(tools.keys, found[f"M{number}"], datetime.now(UTC).replace(year=2100))
            body = json.dumps({"token": token, "ballot": ballot}).encode()
            headers = {"Content-Type": "application/json", "X-Ballot": "1", "Origin": site.url}
            connection = http.client.HTTPConnection("127.0.0.1", site.port, timeout=60)
            begin = time.monotonic()
            connection.request("POST", f"/vote/{site.uuid}/cast", body, headers)
            receipt = json.loads(connection.getresponse().read())
            times.append(time.monotonic() - begin)
            connection.close()
            if receipt["ballot"] != tracker(ballot.encode()):
                raise RuntimeError("the receipt is of another ballot")
        tools.database.dispose()
        return {"p95": sorted(times)[int(0.95 * len(times))]}

    def _count(self, site: Open) -> None:
        """Closed, counted and published by `ballot work`, with the key-holders' messages of the simulated archive."""
        tools, uuid = self._tools(site), site.uuid
        begin = time.monotonic()
        lifecycle.close(tools.database, uuid, OFFICER, datetime.now(UTC), reason="Everybody has voted.")
        self.keep("close", asdict(Cost(time.monotonic() - begin, 0.0, 0.0, 0.0)))
        jobs.AT_ONCE, jobs.PATIENCE = -1, 0.0  # type: ignore[misc]
        jobs.do(uuid, Kind.TALLY, OFFICER, None, tools)
        self._work(site, tools, "begin the count")
        companions = {one.owner: one for one in CompanionFile.parse(next(self.election.glob("*.companion.json")).read_bytes()).companions}
        for kind, owner, data in self._messages():
            companion = companions[owner].to_bytes() if kind is Kind.SHARE else b""
            jobs.submit(uuid, kind, owner, data, companion, tools)
            self._work(site, tools, f"check a {kind}" if owner == 1 else "")
        jobs.do(uuid, Kind.PUBLISH, OFFICER, None, tools)
        self._work(site, tools, "publish")
        with tools.database.read() as session:
            if session.get_one(Election, uuid).state is not ElectionState.PUBLISHED:
                raise RuntimeError("the election was not published")
        tools.database.dispose()

    def _messages(self) -> Iterator[tuple[Kind, int, bytes]]:
        wanted: dict[str, bytes] = {}
        with self.archive.open("rb") as file:
            for item in read_archive(file):
                if isinstance(item, Header):
                    continue
                if item.kind == "data":
                    wanted[item.hash] = item.data
                    continue
                event = Event.parse(item.data)
                if event.type in {"Shuffle", "PartialDecryption"}:
                    owned = Owned.parse(wanted[str(event.payload)])
                    yield Kind.SHUFFLE if event.type == "Shuffle" else Kind.SHARE, owned.owner, wanted[owned.payload]
                wanted.clear()

    def _work(self, site: Open, tools: Tools, what: str) -> None:
        cost = command_cost(*BALLOT, "work", "--jobs", str(self.jobs), environ=site.environ)
        with tools.database.read() as session:
            failed = session.exec(select(Job).where(Job.state == "failed")).first()
        if failed is not None:
            raise RuntimeError(f"{failed.kind}: {failed.error}")
        if what:
            print(f"  {self.ballots:>9,}  {what} … {cost.words()}", flush=True)
            self.keep(what, asdict(cost))

    # --- pages ---------------------------------------------------------------------------------------------------------

    def _pages(self, site: Open) -> None:
        uuid = site.uuid
        tools = self._tools(site)
        with tools.database.read() as session:
            code = board.ballots_on_board(session, uuid, skip=self.ballots // 2, most=1)[0].tracker
            meeting, payload = session.get_one(Election, uuid).meeting_id, board.event_at(session, uuid, self.ballots // 2).payload
        tools.database.dispose()
        last = -(-self.ballots // 500)
        quoted = urllib.parse.quote(code, safe="")
        pages = {
            "front": "/",
            "election": f"/e/{uuid}",
            "board": f"/e/{uuid}/board",
            "board, last page": f"/e/{uuid}/board?page={last}",
            "board, search": f"/e/{uuid}/board?code={quoted[:6]}",
            "receipt": f"/e/{uuid}/check?code={quoted}",
            "result": f"/e/{uuid}/result",
            "rankings (.blt)": f"/e/{uuid}/result/2.blt",
            "verify in the browser": f"/e/{uuid}/verify",
            "checkpoint": f"/e/{uuid}/checkpoint",
            "journal": f"/m/{meeting}/journal",
            "booth": "/vote/meetings",
            "last event": f"/api/elections/{uuid}/last-event",
            "a ballot": f"/api/elections/{uuid}/objects/{payload}",
        }
        times: dict[str, list[float]] = {}
        with site.served() as pid, Peak(pid) as peak:
            deadline = time.monotonic() + 600  # what stands on the board is compared with the chain before a checkpoint is signed
            while not _answers(site, pages["checkpoint"]) and time.monotonic() < deadline:
                time.sleep(0.5)
            for name, path in pages.items():
                times[name] = [_get(site, path) for _ in range(TIMES)]
            self.keep("page memory", {"together": peak.together, "single": peak.single})
        for what, path in (("archive export", f"/e/{uuid}.bel"), ("companion export", f"/e/{uuid}.companion.json")):
            with site.served() as pid:
                before, begin = processor(tree(pid)), time.monotonic()
                with Peak(pid) as peak:
                    _get(site, path)
                cost = Cost(time.monotonic() - begin, processor(tree(pid)) - before, peak.together, peak.single)
            print(f"  {self.ballots:>9,}  {what} … {cost.words()}", flush=True)
            self.keep(what, asdict(cost))
        self.keep("pages, first", {name: found[0] for name, found in times.items()})
        self.keep("pages", {name: sorted(found)[int(0.95 * len(found))] for name, found in times.items()})

    def complaints(self) -> Iterator[str]:
        """What is over a bound."""
        for what, cost in self.figures.items():
            if cost.get("together", 0) > BOUND:
                yield f"{what} of {self.ballots:,} ballots takes {cost['together']:.0f} MB"
        for name, seconds in self.figures.get("pages", {}).items():
            if seconds > PAGE_BOUND:
                yield f"the page “{name}” takes {seconds:.2f} s with {self.ballots:,} ballots"


_COMMANDS = ("simulate", "verify", "shuffle by one", "decrypt by one", "count")
_SERVICE = (
    "fill a database", "close", "begin the count", "check a shuffle", "check a share", "publish", "archive export", "companion export"
)  # fmt: skip


def _answers(site: Open, path: str) -> bool:
    try:
        _get(site, path)
    except RuntimeError:
        return False
    return True


def _get(site: Open, path: str) -> float:
    begin = time.monotonic()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{site.port}{path}", timeout=600) as answer:
            while answer.read(1 << 20):
                pass
    except urllib.error.HTTPError as error:
        raise RuntimeError(f"{path}: {error.code}") from error
    return time.monotonic() - begin


def table(sizes: list[Size]) -> str:
    """Every cost by size, with how much the largest takes for each ballot."""
    rows = [("", *(f"{size.ballots:,}" for size in sizes))]
    for what in (*_COMMANDS, *_SERVICE):
        costs = [size.figures.get(what) for size in sizes]
        if any(costs):
            words = [f"{c['wall']:.1f} s, {c['cpu']:.0f} cpu, {c['together']:.0f} MB" if c else "–" for c in costs]
            rows.append((what, *words))
    rows.append(("casts into it, p95", *(f"{1000 * f['p95']:.0f} ms" if (f := size.figures.get("casts")) else "–" for size in sizes)))
    names = next((list(size.figures["pages"]) for size in sizes if "pages" in size.figures), [])
    for name in names:
        p95 = [size.figures.get("pages", {}).get(name) for size in sizes]
        first = [size.figures.get("pages, first", {}).get(name) for size in sizes]
        both = zip(p95, first, strict=True)
        words = [f"{1000 * a:.0f} ms ({1000 * b:.0f})" if a is not None and b is not None else "–" for a, b in both]
        rows.append((f"page: {name}", *words))
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    aligned = [[row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))] for row in rows]
    text = "\n".join("  ".join(row) for row in aligned)
    notes = "By the clock, of processor, and all processes' memory at most. Pages: 19 of 20 within, and the very first after a start."
    return f"{text}\n{notes}\n"


def draw(sizes: list[Size], out: Path) -> None:
    """Time and memory against the number of ballots."""
    whole = (*_COMMANDS, *_SERVICE)
    seconds = {what: [(s.ballots, s.figures[what]["wall"]) for s in sizes if what in s.figures] for what in whole}
    memory = {what: [(s.ballots, s.figures[what]["together"]) for s in sizes if what in s.figures] for what in whole}
    plot.lines(out / "time.svg", "Time by the number of ballots", "ballots", "seconds", seconds, log_x=True, log_y=True)
    plot.lines(out / "memory.svg", "Memory by the number of ballots", "ballots", "megabytes", memory, log_x=True, log_y=True)
    names = {name for size in sizes for name in size.figures.get("pages", {})}
    pages = {n: [(s.ballots, 1000 * s.figures["pages"][n]) for s in sizes if n in s.figures.get("pages", {})] for n in sorted(names)}
    plot.lines(out / "pages.svg", "Pages: 19 of 20 within", "ballots", "milliseconds", pages, log_x=True, log_y=True)


def main() -> int:
    """Measure what is not there yet, and print everything."""
    parser = argparse.ArgumentParser(prog="python -m bench.size", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--ballots", type=int, nargs="+", default=[1000, 5000, 20_000, 100_000], help="(default: %(default)s)")
    parser.add_argument("--out", type=Path, default=Path("build/size"), help="figures, table, plots (default: %(default)s)")
    parser.add_argument("--work", type=Path, default=Path("build/size/work"), help="archives and databases (default: %(default)s)")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes (default: one a processor)")
    parser.add_argument("--fresh", action="store_true", help="forget earlier figures")
    parser.add_argument("--commands", action="store_true", help="the commands only, not the service")
    parser.add_argument("--pages", action="store_true", help="of the service the public pages and downloads only")
    args = parser.parse_args()
    args.out.mkdir(parents=True, exist_ok=True)
    print(f"{platform.machine()}, {os.cpu_count()} processors, Python {platform.python_version()}", flush=True)
    sizes = []
    for ballots in args.ballots:
        size = Size(ballots, args.out, args.work, args.jobs)
        if args.fresh:
            size.kept.unlink(missing_ok=True)
            shutil.rmtree(size.folder, ignore_errors=True)
            size.figures = {}
        size.folder.mkdir(parents=True, exist_ok=True)
        sizes.append(size)
        if not args.pages or not size.election.exists():
            size.commands()
        if not args.commands:
            size.service(pages_only=args.pages)
    wrong = [sentence for size in sizes for sentence in size.complaints()]
    text = table(sizes) + "".join(f"OVER A BOUND: {sentence}\n" for sentence in wrong)
    print(f"\n{text}", end="")
    (args.out / "size.txt").write_text(text, encoding="utf-8")
    draw(sizes, args.out)
    print(f"{args.out / 'size.txt'}, {args.out}/*.svg")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
