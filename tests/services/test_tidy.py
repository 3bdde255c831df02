"""The dates of deletion: set at publication, put off with a reason, and then really nothing is left in the database's files."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path

import pytest
from sqlmodel import select

from ballot.errors import NotAllowedError, PreconditionError
from ballot.models import Election, Electorate, Meeting, RollEntry, Trustee
from ballot.services import approvals, board, invitations, journal, lifecycle, registrar, tidy
from ballot.services.database import Database
from ballot.services.journal import Act
from ballot.services.mail import Mailer
from ballot.services.registrar import Cause
from tests.services.world import CLOSES, MOTION, NOW, OFFICER, SECOND, SECRETARY, World
from tests.support.postgresql import PostgreSQL


def finished(world: World, meeting: Meeting, *, voters: int = 6) -> str:
    """An election of this meeting, published."""
    world.clock.moment = NOW
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    for entry in world.members(meeting)[:voters]:
        world.cast(uuid, entry, [(0, 1, 0)])
    world.close(uuid)
    world.tally(uuid)
    return uuid


def due(world: World, uuid: str) -> datetime:
    with world.database.read() as session:
        moment = lifecycle.election_of(session, uuid).tidy_at
    assert moment is not None
    return moment


def acts(world: World, meeting: Meeting) -> list[journal.Entry]:
    with world.database.read() as session:
        return journal.entries(session, meeting.id)


# --- dates --------------------------------------------------------------------------------------------------------


def test_publication_sets_a_date_a_month_on_at_midnight_in_the_uk_and_says_it_in_the_journal(world: World) -> None:
    meeting = world.meeting()
    uuid = finished(world, meeting)
    assert datetime(2026, 4, 9, 23, tzinfo=UTC) == due(world, uuid)  # midnight in summer time
    published = next(entry for entry in acts(world, meeting) if entry.act == Act.PUBLISHED)
    assert "2026-04-09T23:00:00Z" == published.details["members unlinked from"]


def test_a_date_chosen_before_publication_is_kept_by_it(world: World) -> None:
    meeting = world.meeting()
    world.clock.moment = NOW
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    for entry in world.members(meeting)[:5]:
        world.cast(uuid, entry, [(0, 1, 0)])
    world.close(uuid)
    chosen = CLOSES + timedelta(days=20)
    with pytest.raises(PreconditionError), world.database.write() as session:
        tidy.set_date(session, uuid, chosen, OFFICER, world.now)  # not counted yet
    from ballot.services import tally

    tally.begin(world.database, uuid, OFFICER, world.now)
    with world.database.write() as session:
        tidy.set_date(session, uuid, chosen, OFFICER, world.now)
    for owner in (1, 3):
        tally.accept_decryption(world.database, uuid, owner, *world.share(uuid, owner), world.now)
    world.publish(uuid)
    assert chosen == due(world, uuid)


def test_a_date_is_put_off_with_a_reason_before_it_comes_and_never_brought_forward(world: World) -> None:
    meeting = world.meeting()
    uuid = finished(world, meeting)
    first = due(world, uuid)
    for moment, reason in (
        (first + timedelta(days=9), " "),
        (first - timedelta(days=9), "we want to"),
        (first + timedelta(days=900), "long"),
    ):
        with pytest.raises(PreconditionError), world.database.write() as session:
            tidy.set_date(session, uuid, moment, OFFICER, world.now, reason=reason)
    with pytest.raises(NotAllowedError), world.database.write() as session:
        tidy.set_date(session, uuid, first + timedelta(days=9), SECRETARY, world.now, reason="a challenge is being heard")
    with world.database.write() as session:
        tidy.set_date(session, uuid, first + timedelta(days=9), SECOND, world.now, reason="a challenge is being heard")
    entry = acts(world, meeting)[-1]
    assert (Act.TIDY_POSTPONED, "a challenge is being heard") == (entry.act, entry.details["reason"])
    assert [] == tidy.tidy_due(world.database, first + timedelta(days=8))
    world.clock.moment = first + timedelta(days=9)
    with pytest.raises(PreconditionError), world.database.write() as session:
        tidy.set_date(session, uuid, first + timedelta(days=30), OFFICER, world.now, reason="too late")
    assert [uuid] == tidy.tidy_due(world.database, world.now)
    with pytest.raises(PreconditionError), world.database.write() as session:
        tidy.set_date(session, uuid, first + timedelta(days=30), OFFICER, world.now, reason="much too late")


def test_short_and_long_dates_are_warned_about() -> None:
    assert "challenge" in tidy.warnings(NOW + timedelta(days=7), NOW)[0]
    assert [] == tidy.warnings(NOW + timedelta(days=30), NOW)
    assert "stolen" in tidy.warnings(NOW + timedelta(days=90), NOW)[0]


def test_a_void_election_and_one_from_before_there_were_dates_are_deleted_too(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    with world.database.write() as session:
        lifecycle.void(session, uuid, "not needed", OFFICER, world.now)
        session.get_one(Election, uuid).tidy_at = None
    assert [] == tidy.tidy_due(world.database, world.now)
    assert Act.TIDY_SET == acts(world, meeting)[-1].act
    assert [uuid] == tidy.tidy_due(world.database, due(world, uuid))
    assert [] == tidy.tidy_due(world.database, due(world, uuid) + timedelta(days=1))
    entry = acts(world, meeting)[-1]
    assert (Act.TIDIED, "clock", {"the list of members too": True}) == (entry.act, entry.actor, entry.details)


def test_a_draft_that_can_still_be_used_keeps_the_roll_and_a_forgotten_one_does_not(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid, forgotten = (world.election(meeting, people=0, questions=[MOTION]) for _ in range(2))
    with world.database.write() as session:
        lifecycle.void(session, uuid, "not needed", OFFICER, world.now)
    with world.database.read() as session:
        assert not tidy.is_last(session, lifecycle.election_of(session, uuid), NOW)
        assert tidy.is_last(session, lifecycle.election_of(session, uuid), CLOSES)
    assert [uuid] == tidy.tidy_due(world.database, due(world, uuid))
    with world.database.read() as session:
        assert not session.exec(select(RollEntry)).all()
        assert lifecycle.election_of(session, forgotten).tidied_at is None


def test_a_deletion_that_was_broken_off_is_done_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    meeting = world.meeting()
    uuid = finished(world, meeting)
    with monkeypatch.context() as broken:
        broken.setattr(Database, "overwrite_deleted", lambda *_: (_ for _ in ()).throw(PreconditionError("the machine stopped here")))
        assert [] == tidy.tidy_due(world.database, due(world, uuid))
    with world.database.read() as session:
        assert lifecycle.election_of(session, uuid).tidied_at is None
    assert [uuid] == tidy.tidy_due(world.database, due(world, uuid))
    assert 1 == sum(entry.act == Act.TIDIED for entry in acts(world, meeting))


# --- what is left -------------------------------------------------------------------------------------------------


@pytest.fixture
def own_database(request: pytest.FixtureRequest, database_url: str, tmp_path: Path) -> Iterator[tuple[World, list[Path]]]:
    """A database of this test alone, and the folders that hold its files."""
    database = Database(database_url)
    database.migrate()
    if database.is_sqlite:
        folders = [tmp_path]
    else:
        server: PostgreSQL = request.getfixturevalue("postgresql_server")
        with database.read_connection() as connection:
            oid = connection.exec_driver_sql("SELECT oid FROM pg_database WHERE datname = current_database()").scalar_one()
        folders = [server.data / "base" / str(oid)]
    yield World(database), folders
    database.dispose()


def found_in(world: World, folders: list[Path], needles: dict[str, bytes]) -> set[str]:
    """Which of these texts stand in the database's files, every page of them written out first."""
    if not world.database.is_sqlite:
        with world.database.write_connection() as connection:
            connection.exec_driver_sql("CHECKPOINT")
    found = set()
    for folder in folders:
        for path in folder.rglob("*"):
            if path.is_file() and os.access(path, os.R_OK):
                content = path.read_bytes()
                found |= {name for name, needle in needles.items() if needle in content}
    return found


def test_after_its_date_no_name_address_code_or_link_is_in_the_database_files(own_database: tuple[World, list[Path]]) -> None:
    world, folders = own_database
    meeting = world.meeting()
    world.clock.moment = NOW
    uuid = world.election(meeting, questions=[MOTION])
    world.lock(uuid)
    mailer = Mailer(world.config, world.keys)
    world.open_voting(uuid)
    with world.database.write() as session:
        invitations.send_one(session, world.config, world.keys, mailer, world.members(meeting)[0], world.now)
    world.clock.moment = NOW + timedelta(days=2)
    members = world.members(meeting)
    for entry in members[:6]:
        also = partial(invitations.queue_receipt, world.config, mailer)
        board.cast(world.database, world.keys, uuid, world.token(entry), world.ballot(uuid, entry, [(0, 1, 0)]), world.now, also=also)
    with world.database.write() as session:
        wording = registrar.new_link_wording(Cause.WRONG_ADDRESS, "seventh@elsewhere.org")
        asked = approvals.ask(session, meeting.id, approvals.Need.REISSUE, members[7].handle, wording, OFFICER, world.now).id
    with world.database.write() as session:
        approvals.give(session, asked, SECOND, world.now)
        registrar.reissue(
            session,
            members[7].handle,
            cause=Cause.WRONG_ADDRESS,
            email="seventh@elsewhere.org",
            actor=OFFICER,
            approval=asked,
            now=world.now,
        )
    with world.database.read() as session:
        pairs = session.exec(select(Electorate)).all()
    needles = {
        "a name": members[3].name.encode(),
        "an address": b"member3@example.org",
        "a corrected address": b"seventh@elsewhere.org",
        "a handle": members[3].handle.encode(),
        "the handle of an agreement": members[7].handle.encode(),
        "a key-holder's address": b"holder2@example.org",
    }
    codes = {f"code {n}": registrar.voting_code(world.keys, entry).encode() for n, entry in enumerate(members)}
    links = {f"link {n}": pair.handle.encode() for n, pair in enumerate(pairs)}
    assert needles.keys() <= found_in(world, folders, needles)
    assert set() == found_in(world, folders, codes)  # sealed or derived, never stored
    world.close(uuid)
    world.tally(uuid)
    receipt_heads = board.head_of
    assert [uuid] == tidy.tidy_due(world.database, due(world, uuid))
    assert set() == found_in(world, folders, needles | codes | links)
    with world.database.read() as session:
        assert ("Holder 2", "") == ((held := session.get_one(Trustee, (uuid, 2))).name, held.email)
        assert (6, 8) == board.turnout(session, uuid)
        assert receipt_heads(session, uuid).height > 0
        public = {pair.credential for pair in pairs}
        assert public == set(registrar_credentials(world, uuid))  # the public list stays: it is in the ballot box


def registrar_credentials(world: World, uuid: str) -> list[str]:
    from ballot.protocol.messages import PublicCredentials

    setup = board.load_setup(world.database, uuid)
    with world.database.read() as session:
        return [str(point) for point in PublicCredentials.parse(board.object_bytes(session, uuid, setup.data.credentials)).entries]
