"""Members, or somebody who floods the site with junk, as one process: `python -m bench.clients PLAN.json`.

A plan names the site, the file of requests, and either when each is due (`times`, in seconds after `begin`) or how many are kept
under way (`clients` alone). A member whose request fails on the way, or is told that the site cannot record just now, sends the
very same bytes again until there is an answer. Times run from when the request was due, so waiting for a free client counts.
"""

from __future__ import annotations

import http.client
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PAUSE = 0.25  # seconds before the same bytes are sent again
KEPT = 1.0  # seconds after which an idle connection is not used again: the service ends it after 2


@dataclass
class Plan:
    """What one process of clients does."""

    port: int
    path: str
    requests: str  # a file with one body a line
    out: str  # where an answer a line is left
    clients: int
    begin: float  # seconds since 1970
    times: list[float] | None = None  # when each request is due; None: as soon as a client is free
    until: float | None = None  # seconds after `begin` at which a flood ends, which begins its file again and again
    patience: float = 60.0  # seconds after which a member gives up
    junk: bool = False


def _jobs(plan: Plan, bodies: list[bytes]) -> Iterator[tuple[int, float, bytes]]:
    """Number, moment due, body."""
    if plan.until is None:
        times = plan.times or [0.0] * len(bodies)
        for number, (due, body) in enumerate(zip(times, bodies, strict=False)):
            yield number, plan.begin + due if plan.times else 0.0, body
        return
    number = 0
    while time.time() < plan.begin + plan.until:
        yield number, 0.0, bodies[number % len(bodies)]
        number += 1


class _Client:
    """One connection, kept open."""

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        self._headers = {"Content-Type": "application/json", "X-Ballot": "1", "Origin": f"http://127.0.0.1:{plan.port}"}
        self._connection = http.client.HTTPConnection("127.0.0.1", plan.port, timeout=plan.patience)
        self._used = 0.0

    def send(self, body: bytes) -> tuple[int, bytes]:
        """Status and answer; status 0 where there was none."""
        if time.time() - self._used > KEPT:
            self._connection.close()
        try:
            self._used = time.time()
            self._connection.request("POST", self._plan.path, body, self._headers)
            response = self._connection.getresponse()
            return response.status, response.read()
        except (OSError, http.client.HTTPException):
            self._connection.close()
            return 0, b""

    def close(self) -> None:
        self._connection.close()


def _work(plan: Plan, take: Callable[[], tuple[int, float, bytes] | None], done: list[dict[str, Any]]) -> None:
    client = _Client(plan)
    while (job := take()) is not None:
        number, due, body = job
        if (early := due - time.time()) > 0:
            time.sleep(early)
        begin, tries = due or time.time(), 0
        while True:
            tries += 1
            status, answer = client.send(body)
            if plan.junk or (status and status < 500) or time.time() - begin > plan.patience:
                break
            time.sleep(PAUSE)
        row = {"n": number, "at": begin - plan.begin, "took": time.time() - begin, "status": status, "tries": tries}
        if not plan.junk:
            row["answer"] = answer.decode(errors="replace")
        done.append(row)
    client.close()


def main() -> None:
    """Carry the plan out."""
    plan = Plan(**json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")))
    jobs, lock = _jobs(plan, Path(plan.requests).read_bytes().splitlines()), threading.Lock()

    def take() -> tuple[int, float, bytes] | None:
        with lock:
            return next(jobs, None)

    done: list[dict[str, Any]] = []
    time.sleep(max(plan.begin - time.time(), 0))
    threads = [threading.Thread(target=_work, args=(plan, take, done)) for _ in range(plan.clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    Path(plan.out).write_text("".join(json.dumps(row) + "\n" for row in done), encoding="utf-8")


if __name__ == "__main__":
    main()
