"""The restore drill (threats R12): a backup taken under load, the host lost, another one restored from it and from what was published.

`restore_drill` does it for real: gunicorn under casts, the commands `ballot backup` and `ballot restore`, `kill -9`, a new host with
another data folder, other keys' folder and another database. What it returns has only zeros where the goal is zero.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

from ballot.config import Config
from ballot.models import RollEntry
from ballot.protocol.ballots import create_ballot
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import QuestionH
from ballot.services import board, lifecycle, registrar, roll
from ballot.services.database import Database
from ballot.services.journal import Actor
from ballot.services.keys import Keys
from ballot.services.registrar import Cause
from ballot.services.startup import prepare
from ballot.services.tokens import make_voting_token
from tests.support.need import ROOT
from tests.support.site import Site

OFFICER = Actor("drill", "returning-officer")
PASSPHRASE = "drill drill drill drill"
CLIENTS = 4


@dataclass
class Drill:
    """What was tried and what was found. `lost`, `revived`, `moved` and `forks` must be zero."""

    members: int
    acknowledged: int = 0
    in_backup: int = 0
    replayed: int = 0
    lost: list[str] = field(default_factory=list)
    revived: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    forks: list[str] = field(default_factory=list)
    voted_afterwards: int = 0

    @property
    def holds(self) -> bool:
        return not (self.lost or self.revived or self.moved or self.forks)


def ballot(site: Site, *arguments: str) -> str:
    """One command of ours, on the host of this site; its output."""
    command = [sys.executable, "-m", "ballot.cli", *arguments]
    done = subprocess.run(command, cwd=ROOT, env=site.environ, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise RuntimeError(f"ballot {arguments[0]}: {done.stderr}")
    return done.stdout


def post(site: Site, path: str, body: dict[str, str]) -> tuple[int, dict[str, Any]]:
    """What the booth's script sends, and the answer."""
    headers = {"Content-Type": "application/json", "X-Ballot": "1", "Origin": site.url}
    request = urllib.request.Request(site.url + path, json.dumps(body).encode(), headers)
    try:
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def get(site: Site, path: str) -> bytes:
    with urllib.request.urlopen(site.url + path, timeout=60) as answer:
        data: bytes = answer.read()
        return data


def open_election(database: Database, keys: Keys, members: int, *, hours: int = 2) -> tuple[str, str, list[RollEntry]]:
    """A meeting with one open election; its identifier, the election's uuid, and the members."""
    now = datetime.now(UTC)
    lines = [f"M{i},Member {i},member{i}@example.org,Full member,Active,2020-01-01" for i in range(members)]
    file = "\n".join(["Membership number,Name,Email,Membership type,Status,Date joined", *lines]).encode()
    motion = QuestionH(answers=("For", "Against"), min=1, max=1, question="Motion 1", blank=True)
    with database.write() as session:
        meeting = lifecycle.make_meeting(session, "Drill", OFFICER, now, two_people=False)
        roll.load(session, meeting.id, roll.preview(file, date(2026, 1, 1)), OFFICER, now)
        roll.freeze(session, meeting.id, OFFICER, now)
        draft = lifecycle.ElectionDraft("Motions", [motion], now, now + timedelta(hours=hours), practice=True)
        uuid = lifecycle.make_election(session, meeting.id, draft, OFFICER, now).uuid
    lifecycle.lock(database, keys, uuid, OFFICER, now)
    with database.write() as session:
        lifecycle.open_voting(session, uuid, OFFICER, now)
        entries = sorted(roll.members(session, meeting.id), key=lambda entry: entry.row)
    return meeting.id, uuid, entries


def restore_drill(folder: Path, old_url: str, new_url: str, *, members: int = 24) -> Drill:
    """Do it once, from `old_url` to `new_url`. A third of the members cast before the backup, a third while it is made and after it."""
    found = Drill(members)
    words = folder / "passphrase"
    words.write_text(PASSPHRASE + "\n", encoding="utf-8")
    words.chmod(0o600)
    sealed, keys_sealed = folder / "site.backup", folder / "keys.backup"
    for name in ("old", "new"):
        (folder / name).mkdir()
    old = Site(folder / "old", BALLOT_DATABASE_URL=old_url)
    database, keys = prepare(Config.from_environ(old.environ))
    meeting, uuid, entries = open_election(database, keys, members)
    expires, election = datetime.now(UTC) + timedelta(days=1), board.load_setup(database, uuid).election
    rng = SystemRng()

    def request(entry: RollEntry, choice: list[int]) -> dict[str, str]:
        sealed_ballot = create_ballot(election, registrar.voting_code(keys, entry), [choice], rng).to_bytes().decode()
        return {"token": make_voting_token(keys, entry, expires), "ballot": sealed_ballot}

    voters, others = entries[: members * 2 // 3], entries[members * 2 // 3 :]
    requests = {entry.handle: request(entry, [0, 1, 0]) for entry in entries}
    receipts: dict[str, dict[str, Any]] = {}
    waiting, enough, lock = list(voters), threading.Event(), threading.Lock()

    def client() -> None:
        while True:
            with lock:
                if not waiting:
                    return
                entry = waiting.pop(0)
            status, answer = post(old, f"/vote/{uuid}/cast", requests[entry.handle])
            assert 200 == status, answer
            with lock:
                receipts[entry.handle] = answer
                if len(receipts) >= len(voters) // 2:
                    enough.set()

    archive, journal = folder / f"{uuid}.bel", folder / "journal.jsonl"
    with old:
        threads = [threading.Thread(target=client) for _ in range(CLIENTS)]
        for thread in threads[:1]:
            thread.start()
        enough.wait(60)
        backing_up = subprocess.Popen(
            [sys.executable, "-m", "ballot.cli", "backup", str(sealed), "--passphrase-file", str(words)], cwd=ROOT, env=old.environ
        )
        for thread in threads[1:]:
            thread.start()
        for thread in threads:
            thread.join()
        assert 0 == backing_up.wait(60)
        # Cast and reissued when the backup is certainly over: what only the published files still know.
        last = others.pop()
        status, answer = post(old, f"/vote/{uuid}/cast", requests[last.handle])
        assert 200 == status, answer
        receipts[last.handle] = answer
        reissued = others[0]
        old_token = requests[reissued.handle]["token"]
        with database.write() as session:
            asked = Cause.MEMBER_ASKED
            registrar.reissue(session, reissued.handle, cause=asked, email=None, actor=OFFICER, approval=None, now=datetime.now(UTC))
        ballot(old, "backup", str(keys_sealed), "--keys", "--passphrase-file", str(words))
        archive.write_bytes(get(old, f"/e/{uuid}.bel"))
        journal.write_bytes(get(old, f"/m/{meeting}/journal.jsonl"))
        assert old.process is not None
        os.kill(old.process.pid, signal.SIGKILL)
        old.process.wait(30)
    database.dispose()
    found.acknowledged = len(receipts)

    new = Site(folder / "new", BALLOT_DATABASE_URL=new_url)
    ballot(new, "restore", str(keys_sealed), "--passphrase-file", str(words))
    said = ballot(
        new, "restore", str(sealed), "--passphrase-file", str(words), "--archive", str(archive), "--journal", str(journal)
    )
    found.replayed = int(said.split("Motions: ")[1].split(" ballots")[0].replace(",", ""))
    found.in_backup = found.acknowledged - found.replayed
    database, keys = Database(new_url), Keys.open(Path(new.environ["BALLOT_KEYS"]))
    with new:
        if not get(new, f"/e/{uuid}.bel").startswith(archive.read_bytes()):
            found.forks.append("archive")
        if not get(new, f"/m/{meeting}/journal.jsonl").startswith(journal.read_bytes()):
            found.forks.append("journal")
        for handle, receipt in receipts.items():
            again = post(new, f"/vote/{uuid}/cast", requests[handle])
            if again[0] != 200:
                found.lost.append(f"{handle}: {again}")
            elif [again[1][name] for name in ("ballot", "height", "head")] != [receipt[name] for name in ("ballot", "height", "head")]:
                found.moved.append(handle)
            entry = next(entry for entry in entries if entry.handle == handle)
            other = post(new, f"/vote/{uuid}/cast", request(entry, [0, 0, 1]))
            if (other[0], other[1].get("error")) != (409, "already-voted"):
                found.revived.append(f"{handle}: {other}")
        dead = post(new, f"/vote/{uuid}/cast", {**requests[reissued.handle], "token": old_token})
        if dead[0] != 403:
            found.revived.append(f"the link replaced before the loss: {dead}")
        with database.read() as session:
            now_members = {entry.handle: entry for entry in roll.members(session, meeting)}
        for entry in others:
            status, answer = post(new, f"/vote/{uuid}/cast", request(now_members[entry.handle], [1, 0, 0]))
            found.voted_afterwards += status == 200
    board.check_storage(database, uuid)
    database.dispose()
    return found
