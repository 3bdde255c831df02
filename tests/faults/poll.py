"""A running site with an open election, members who send sealed ballots, and the checker afterwards."""

from __future__ import annotations

import http.client
import json
import os
import random
import signal
import threading
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ballot.invariants import History
from ballot.models import RollEntry
from ballot.protocol.messages import QuestionH, QuestionNH
from ballot.protocol.receipts import Receipt
from ballot.services import audit as service
from ballot.services import lifecycle, tokens
from ballot.services.clock import FixedClock
from ballot.services.database import Database
from ballot.services.keys import Keys
from tests.faults.fault import Found, Place
from tests.services.world import MOTION, OFFICER, World
from tests.support.site import Site

DAY = timedelta(days=1)


class Hall(World):
    """As `World`, on the computer's own clock, because a running site has no other."""

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def draft(self, questions: Sequence[QuestionH | QuestionNH] = (MOTION,), **changes: Any) -> lifecycle.ElectionDraft:
        now = self.now
        opens, closes = changes.pop("opens_at", now - DAY), changes.pop("closes_at", now + DAY)
        return lifecycle.ElectionDraft("Motions and committee", questions, opens, closes, **changes)

    def token(self, entry: RollEntry) -> str:
        return tokens.make_voting_token(self.keys, entry, self.now + 30 * DAY)

    def close(self, uuid: str) -> None:
        lifecycle.close(self.database, uuid, OFFICER, self.now, reason="a test closes early")


@dataclass(frozen=True)
class Job:
    """One member's link and one sealed ballot of theirs."""

    member: int
    token: str
    ballot: str


@dataclass(frozen=True)
class Answer:
    """What the site said."""

    status: int
    body: bytes

    @property
    def json(self) -> dict[str, Any]:
        return json.loads(self.body)  # type: ignore[no-any-return]

    @property
    def receipt(self) -> Receipt | None:
        """The receipt in it, of this or of an earlier ballot."""
        if self.status == 200:
            return Receipt.from_json(self.json)
        found = self.json.get("receipt") if self.status == 409 else None
        return None if found is None else Receipt.from_json(found)


@dataclass
class Poll:
    """One open election on a running site. `receipts` are those that were shown."""

    site: Site
    hall: Hall
    uuid: str
    meeting: str
    jobs: list[Job]
    others: list[Job]  # a second sealed ballot of each member
    receipts: list[Receipt] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    # --- members ------------------------------------------------------------------------------------------------

    def request(
        self, method: str, path: str, body: object = None, *, timeout: float = 30, data: bytes | None = None, bearer: str = ""
    ) -> Answer:
        """One request on a connection of its own. Raises: OSError, http.client.HTTPException: it broke."""
        connection = http.client.HTTPConnection("127.0.0.1", self.site.port, timeout=timeout)
        try:
            headers = {"X-Ballot": "1", "Host": f"127.0.0.1:{self.site.port}", "Connection": "close"}
            if bearer:
                headers["Authorization"] = f"Bearer {bearer}"
            if body is not None:
                headers["Content-Type"], data = "application/json", json.dumps(body).encode()
            connection.request(method, path, data, headers)
            response = connection.getresponse()
            return Answer(response.status, response.read())
        finally:
            connection.close()

    def send(self, job: Job, *, timeout: float = 30) -> Answer:
        """One attempt of a member; a receipt that arrives is noted."""
        answer = self.request("POST", f"/vote/{self.uuid}/cast", {"token": job.token, "ballot": job.ballot}, timeout=timeout)
        if answer.status == 200:
            receipt = answer.receipt
            assert receipt is not None
            with self.lock:
                self.receipts.append(receipt)
        return answer

    def cast(self, job: Job, *, seconds: float = 30) -> Answer | None:
        """As the booth: the very same bytes again until there is an answer other than "not now". None: time ran out."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            try:
                answer = self.send(job, timeout=max(1.0, end - time.monotonic()))
            except (OSError, http.client.HTTPException):
                time.sleep(random.uniform(0.05, 0.3))
                continue
            if answer.status < 500:
                return answer
            time.sleep(random.uniform(0.05, 0.3))
        return None

    def cast_all(self, jobs: Iterable[Job], *, at_once: int = 4, seconds: float = 60) -> list[Answer | None]:
        """Many members at the same time."""
        waiting, answers = iter(list(jobs)), list[Answer | None]()

        def work() -> None:
            while True:
                with self.lock:
                    job = next(waiting, None)
                if job is None:
                    return
                answer = self.cast(job, seconds=seconds)
                with self.lock:
                    answers.append(answer)

        threads = [threading.Thread(target=work) for _ in range(at_once)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return answers

    def served_after(self, *, within: float = 30) -> float:
        """Seconds until the site answers a page of this election again."""
        begin = time.monotonic()
        while time.monotonic() - begin < within:
            try:
                if self.request("GET", f"/e/{self.uuid}", timeout=within).status == 200:
                    break
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.01)
        return time.monotonic() - begin

    def await_checkpoint(self, *, seconds: float = 60) -> None:
        """The first sweep is over."""
        end = time.monotonic() + seconds
        while time.monotonic() < end and self.request("GET", f"/e/{self.uuid}/checkpoint").status != 200:
            time.sleep(0.05)

    # --- the site's processes -------------------------------------------------------------------------------------

    def workers(self) -> list[int]:
        """gunicorn's workers, oldest first."""
        assert self.site.process is not None
        pid = self.site.process.pid
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split()
        return sorted(map(int, children), key=_started)

    def await_workers(self, number: int, *, seconds: float = 120) -> None:
        """So many workers answer: each of them has opened the port's socket and runs its threads."""
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            ready = [pid for pid in self.workers() if _threads(pid) > 1]
            if len(ready) >= number:
                return
            time.sleep(0.02)
        raise RuntimeError("the site's workers did not come back")

    # --- afterwards -----------------------------------------------------------------------------------------------

    def audit(self, found: Found, *, skip: Iterable[str] = (), tool: Path | None = None) -> None:
        """Every invariant, on what members were shown, database and archive."""
        result = service.audit(self.hall.database, self.hall.keys, History(tuple(self.receipts)), skip=frozenset(skip), tool=tool)
        found.violations += map(str, result.violations)
        found.figures["receipts"] = len({receipt.ballot for receipt in self.receipts})
        found.figures["audits"] = found.figures.get("audits", 0) + 1

    def close_and_count(self) -> None:
        """Closed, tallied by two of three key-holders, and published."""
        self.hall.close(self.uuid)
        self.hall.tally(self.uuid)


def _started(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()[19])
    except OSError:
        return 1 << 62


def _threads(pid: int) -> int:
    try:
        return sum(1 for _ in Path(f"/proc/{pid}/task").iterdir())
    except OSError:
        return 0


def kill(pid: int, how: signal.Signals = signal.SIGKILL) -> bool:
    """Sent to one process that we started; False if it is gone."""
    try:
        os.kill(pid, how)
    except ProcessLookupError:
        return False
    return True


def open_poll(
    here: Place,
    members: int,
    *,
    url: str | None = None,
    workers: int = 2,
    second: bool = False,
    name: str = "site",
    questions: Sequence[QuestionH | QuestionNH] = (MOTION,),
    folder: Path | None = None,
    two_people: bool = False,
    draft: dict[str, Any] | None = None,
    **settings: str,
) -> Poll:
    """An election of so many members, open on a site that runs; one sealed ballot a member, two with `second`."""
    folder = folder or here.sub(name)
    url = url or here.url(name)
    hall = Hall(Database(url), keys=Keys.open(folder / "keys"), clock=FixedClock(datetime.now(UTC)))
    hall.database.migrate()
    here.stack.callback(hall.database.dispose)
    meeting = hall.meeting(two_people=two_people, members=members)
    uuid = hall.election(meeting, questions=questions, **(draft or {}))
    hall.open(uuid)
    choices = [[(0, 1, 0), (0, 0, 1)][n % 2] if isinstance(question, QuestionH) else (1, 2, 0, 0) for n, question in enumerate(questions)]
    entries = hall.members(meeting)[:members]
    jobs = [Job(n, hall.token(entry), hall.ballot(uuid, entry, choices).decode()) for n, entry in enumerate(entries)]
    others = [Job(n, hall.token(entry), hall.ballot(uuid, entry, choices).decode()) for n, entry in enumerate(entries)] if second else []
    site = Site(folder, workers=workers, BALLOT_DATABASE_URL=url, BALLOT_KEYS=str(folder / "keys"), **settings)
    poll = Poll(site, hall, uuid, meeting.id, jobs, others)
    here.stack.callback(site.stop, signal.SIGKILL)
    site.start()
    poll.await_workers(workers)
    return poll
