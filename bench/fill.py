"""Puts a simulated archive into a site's database: `python -m bench.fill FOLDER [--until Ballot]`, settings from the environment.

FOLDER is what `ballot simulate` left. The members are invented; each has the credential whose code stands in the folder, so the
election can be voted in, closed, counted and published like any other. For tests and benchmarks of the service at size.
"""

from __future__ import annotations

import argparse
import os
import random
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Table, insert
from sqlmodel import Session

from ballot.config import Config
from ballot.models import (
    BoardEvent,
    BoardHead,
    BoardObject,
    Cast,
    Companion,
    Election,
    ElectionState,
    Electorate,
    Meeting,
    Roll,
    RollEntry,
    table,
)
from ballot.models import Trustee as TrusteeRow
from ballot.protocol import messages
from ballot.protocol.archive import Entry, Header, pack_event, pack_header, pack_object, read_archive
from ballot.protocol.credentials import public
from ballot.protocol.declarations import split_description
from ballot.protocol.messages import CompanionFile, Event, SetupData
from ballot.protocol.receipts import tracker_of_hash
from ballot.protocol.trustees import check_trustees
from ballot.services.clock import iso
from ballot.services.database import Database
from ballot.services.journal import Act, Actor, append
from ballot.services.startup import prepare

ROWS = 5000  # written at once
STATES = {"Ballot": ElectionState.OPEN, "EndBallots": ElectionState.CLOSED, "Result": ElectionState.PUBLISHED}
OFFICER = Actor("bench", "returning-officer")


class _Rows:
    """Rows of several tables, written in large lots in the order in which they came."""

    def __init__(self, connection: Connection) -> None:
        self._connection, self._waiting = connection, {}

    def add(self, rows: Table, **values: Any) -> None:
        self._waiting.setdefault(rows, []).append(values)
        if sum(map(len, self._waiting.values())) >= ROWS:
            self.flush()

    def flush(self) -> None:
        for rows, values in self._waiting.items():
            self._connection.execute(insert(rows), values)
        self._waiting = {}


def fill(database: Database, folder: Path, *, until: str = "Result") -> str:
    """The election's uuid. `until`: the type of the last event that is put in."""
    path = next(folder.glob("*.bel"))
    with path.open("rb") as file, database.write_connection() as connection:
        return _fill(connection, read_archive(file), folder, until)


def _fill(connection: Connection, items: Iterator[Header | Entry], folder: Path, until: str) -> str:
    header = next(items)
    if not isinstance(header, Header):
        raise TypeError("an archive begins with its header")
    timestamp, now = int(header.timestamp), datetime.now(UTC).replace(microsecond=0)
    size, objects, uuid, event, rows = len(pack_header(timestamp)), [], "", None, _Rows(connection)
    cast_at = now - timedelta(hours=1)
    for item in items:
        if not isinstance(item, Entry):
            continue
        if item.kind == "data":
            objects.append(item.data)
            size += len(pack_object(item.data, timestamp))
            continue
        coming = Event.parse(item.data)
        if until == "Ballot" and coming.type == "EndBallots":
            break
        event = coming
        size += len(pack_event(item.data, timestamp))
        if event.type == "Setup":
            election = _set_up(connection, objects, folder, now, STATES[until], datetime.fromtimestamp(timestamp, UTC))
            uuid = election.uuid
        for position, data in enumerate(objects):
            digest = messages.sha256_hex(data)
            rows.add(table(BoardObject), election_uuid=uuid, hash=digest, height=event.height, position=position, content=data)
        rows.add(
            table(BoardEvent),
            election_uuid=uuid,
            height=event.height,
            type=event.type,
            hash=item.hash,
            payload=event.payload,
            content=item.data,
        )
        if event.type == "Ballot":
            rows.add(
                table(Cast),
                election_uuid=uuid,
                ballot_hash=tracker_of_hash(str(event.payload)),
                credential=messages.loads(objects[-1])["credential"],
                ordinal=0,
                height=event.height,
                head=item.hash,
                cast_at=cast_at,
            )
        objects = []
        if event.type == until != "Ballot":
            break
    if event is None:
        raise ValueError("the archive is empty")
    rows.flush()
    connection.execute(
        insert(table(BoardHead)), {"election_uuid": uuid, "height": event.height, "hash": event.hash, "size": size, "timestamp": timestamp}
    )
    if until == "Result" and (beside := list(folder.glob("*.companion.json"))):
        with Session(connection) as session:
            meeting = session.get_one(Election, uuid).meeting_id
            for one in CompanionFile.parse(beside[0].read_bytes()).companions:
                session.add(Companion(election_uuid=uuid, owner=one.owner, content=one.to_bytes()))
                details = {"key-holder": one.owner, "companion": messages.sha256_hex(one.to_bytes())}
                append(session, meeting, Act.SHARE_ACCEPTED, OFFICER, now, election=uuid, details=details)
            session.flush()
    return uuid


def _set_up(
    connection: Connection, objects: list[bytes], folder: Path, now: datetime, state: ElectionState, locked_at: datetime
) -> messages.Election:
    setup = SetupData.parse(objects[-1])
    named = {messages.sha256_hex(data): data for data in objects}
    election = messages.Election.parse(named[setup.election])
    keys = check_trustees(messages.Trustees.parse(named[setup.trustees]))
    description, declared = split_description(election.description)
    codes = (folder / "secret" / "codes.txt").read_text(encoding="ascii").split()
    luck, meeting = random.Random(3), f"BenchMeeting{election.uuid[:8]}"
    closes = now + timedelta(days=1) if state is ElectionState.OPEN else now - timedelta(minutes=5)
    with Session(connection) as session:
        session.add(Meeting(id=meeting, name="A meeting at size", two_people=False, created_at=now))
        session.flush()
        frozen = {"included": len(codes), "counts": {"included": len(codes)}, "commitment": declared.roll if declared else ""}
        session.add(Roll(meeting_id=meeting, file_hash="", cut_off="2026-01-01", salt=b"", loaded_at=now, frozen_at=now, **frozen))
        session.add(
            Election(
                uuid=election.uuid,
                meeting_id=meeting,
                state=state,
                name=election.name,
                config={
                    "description": description,
                    "questions": [messages.QUESTION.encode(question) for question in election.questions],
                    "rules": [dict(rule) for rule in declared.rules] if declared else [],
                    "electorate": "",
                    "minimum_ballots": declared.minimum_ballots if declared else 5,
                    "threshold": len(keys.keys),
                },
                fingerprint=election.fingerprint,
                created_at=now,
                opens_at=now - timedelta(days=1),
                closes_at=closes,
                closed_at=None if state is ElectionState.OPEN else closes,
                published_at=now if state is ElectionState.PUBLISHED else None,
            )
        )
        session.flush()
        for key in keys.keys:
            person = {"name": f"Holder {key.owner}", "email": f"holder{key.owner}@example.org"}
            session.add(TrusteeRow(election_uuid=election.uuid, number=key.owner, **person))
        append(session, meeting, Act.MEETING_MADE, OFFICER, now, details={"name": "A meeting at size"})
        details = {"fingerprint": election.fingerprint, "opens": iso(now - timedelta(days=1)), "closes": iso(closes)}
        append(session, meeting, Act.LOCKED, OFFICER, locked_at, election=election.uuid, details=details)
        session.flush()
    rows = _Rows(connection)
    for number, code in enumerate(codes):
        handle, email = f"{luck.getrandbits(128):032x}", f"member{number}@example.org"
        rows.add(
            table(RollEntry),
            **RollEntry(
                handle=handle, meeting_id=meeting, row=number, number=f"M{number}", name=f"Member {number}", email=email, email_key=email
            ).model_dump(),
        )
        rows.add(table(Electorate), election_uuid=election.uuid, handle=handle, credential=str(public(election.uuid, code)))
    rows.flush()
    return election


@contextmanager
def filled(environ: dict[str, str], folder: Path, until: str) -> Iterator[tuple[Database, str]]:
    """The database of these settings with the election in it, and the election's uuid."""
    database, _ = prepare(Config.from_environ(environ))
    try:
        yield database, fill(database, folder, until=until)
    finally:
        database.dispose()


def main() -> None:
    """Do it with the settings of the environment."""
    parser = argparse.ArgumentParser(prog="python -m bench.fill", description=__doc__)
    parser.add_argument("folder", type=Path, help="what `ballot simulate` left")
    parser.add_argument("--until", choices=sorted(STATES), default="Result", help="the last event (default: %(default)s)")
    args = parser.parse_args()
    with filled(dict(os.environ), args.folder, args.until) as (_, uuid):
        print(uuid)


if __name__ == "__main__":
    main()
