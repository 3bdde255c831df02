"""An installation of each release, with real data, is brought up to date: nothing published changes, and voting goes on.

`make.py` writes the fixture of a release, once, with that release's code.
"""

from __future__ import annotations

import io
import json
import sqlite3
from collections.abc import Iterator
from datetime import datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlmodel import SQLModel, select

from ballot.errors import AlreadyVotedError
from ballot.models import ElectionState, Officer, Outbox
from ballot.protocol.receipts import Receipt, check_receipt
from ballot.services import board, journal, lifecycle, officers, registrar, roll
from ballot.services.database import Database
from ballot.services.mail import Mailer, State
from ballot.verifier.report import Outcome
from ballot.verifier.verify import verify_archive
from tests.services.world import CLOSES, World

FOLDER = Path(__file__).parent
RELEASES = sorted(path.stem for path in FOLDER.glob("*.json"))
Installed = tuple[World, dict[str, Any]]


def into_sqlite(url: str, version: str) -> None:
    with sqlite3.connect(url.removeprefix("sqlite:///")) as connection:
        connection.executescript((FOLDER / f"{version}.sqlite.sql").read_text(encoding="utf-8"))
    connection.close()


def into_postgresql(url: str, version: str) -> None:
    import psycopg

    with psycopg.connect(url.replace("+psycopg", "")) as connection:
        connection.execute((FOLDER / f"{version}.postgresql.sql").read_text(encoding="utf-8"))


@pytest.fixture(params=RELEASES)
def upgraded(request: pytest.FixtureRequest, database_url: str) -> Iterator[Installed]:
    """An installation of that release, after `ballot init` of today's; and what it must give back."""
    kind = "sqlite" if database_url.startswith("sqlite") else "postgresql"
    (into_sqlite if kind == "sqlite" else into_postgresql)(database_url, request.param)
    database = Database(database_url)
    database.migrate()
    world = World(database)
    expected = json.loads((FOLDER / f"{request.param}.json").read_text(encoding="utf-8"))[kind]
    world.clock.moment = datetime.fromisoformat(expected["moment"])
    yield world, expected
    database.dispose()


def bel(world: World, uuid: str) -> bytes:
    return b"".join(board.stream_archive(world.database, uuid)[1])


def verdict(world: World, uuid: str) -> Outcome:
    with world.database.read() as session:
        companion = board.companion_bytes(session, uuid)
    return verify_archive(io.BytesIO(bel(world, uuid)), companion=companion).outcome


def test_every_release_has_a_fixture_on_both_databases() -> None:
    assert "0.1.0" in RELEASES
    for version in RELEASES:
        assert {"sqlite", "postgresql"} == {kind for kind in ("sqlite", "postgresql") if (FOLDER / f"{version}.{kind}.sql").exists()}


def test_the_tables_are_todays(upgraded: Installed) -> None:
    world, _ = upgraded
    with world.database.engine.connect() as connection:
        assert [] == compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), SQLModel.metadata)


def test_what_was_published_is_the_same_to_the_byte_and_verifies(upgraded: Installed) -> None:
    world, expected = upgraded
    for uuid, digest in expected["archives"].items():
        assert digest == sha256(bel(world, uuid)).hexdigest()
        board.check_storage(world.database, uuid)
    with world.database.read() as session:
        assert expected["companions"] == sha256(board.companion_bytes(session, expected["finished"])).hexdigest()
        assert ElectionState.PUBLISHED is lifecycle.election_of(session, expected["finished"]).state
        entries = journal.entries(session, expected["meeting"])
    assert Outcome.VERIFIED is verdict(world, expected["finished"])
    assert [entry.height for entry in entries] == list(range(len(entries)))


def test_an_open_election_goes_on_to_its_result(upgraded: Installed) -> None:
    world, expected = upgraded
    uuid = expected["open"]
    with world.database.read() as session:
        members = roll.members(session, expected["meeting"])
    receipts = [Receipt.parse(text.encode()) for text in expected["receipts"]]
    voted = {entry.handle: entry for entry in members if entry.handle in expected["voted"]}
    for handle, receipt in zip(expected["voted"], receipts, strict=True):
        check_receipt(world.keys.receipt_public, receipt)
        with pytest.raises(AlreadyVotedError) as caught:
            world.cast(uuid, voted[handle], ((0, 0, 1),))
        assert receipt.ballot == caught.value.receipt.ballot  # type: ignore[attr-defined]
    others = [entry for entry in members if entry.handle not in voted]
    heights = [world.cast(uuid, entry, ((0, 1, 0),)).height for entry in others]
    assert [4, 5, 6] == heights
    world.secrets = {(uuid, number): int(secret) for number, secret in enumerate(expected["secrets"], 1)}
    world.clock.moment = CLOSES
    world.close(uuid)
    world.tally(uuid)
    assert Outcome.VERIFIED is verdict(world, uuid)


def test_links_second_factors_and_waiting_mails_still_work(upgraded: Installed) -> None:
    world, expected = upgraded
    mailer = Mailer(world.config, world.keys)
    with world.database.read() as session:
        officer = session.get_one(Officer, expected["officer"])
        assert expected["totp"] == officers.enrolment_secret(session, world.keys, officer)
        waiting = session.exec(select(Outbox).where(Outbox.state == State.WAITING, Outbox.kind == "invitation")).all()
        codes = {registrar.voting_code(world.keys, entry) for entry in roll.members(session, expected["meeting"])}
    assert len(waiting) == len(codes) == 6
    letters = [mailer.open(row).plain for row in waiting]
    assert codes == {code for code in codes if any(code in letter for letter in letters)}
