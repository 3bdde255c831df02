"""Links go out once a member, in short transactions; reminders only to those who have not voted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from ballot.errors import NotAllowedError, PreconditionError
from ballot.models import Meeting, Outbox, Trustee
from ballot.services import invitations, mailings, registrar
from ballot.services.database import Database
from ballot.services.mail import Mailer
from ballot.services.registrar import Cause
from tests.services.world import CLOSES, OFFICER, SECRETARY, World


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    database = Database(f"sqlite:///{tmp_path / 'ballot.sqlite3'}")
    database.migrate()
    yield World(database)
    database.dispose()


@pytest.fixture
def mailer(world: World) -> Mailer:
    return Mailer(world.config, world.keys)


def opened(world: World, members: int = 8) -> tuple[Meeting, str]:
    meeting = world.meeting(two_people=False, members=members)
    uuid = world.election(meeting, people=0, practice=True)
    world.open(uuid)
    return meeting, uuid


def letters(world: World) -> list[Outbox]:
    with world.database.read() as session:
        return list(session.exec(select(Outbox).where(Outbox.kind == "invitation")).all())


def send(world: World, mailer: Mailer, meeting: Meeting, *, reminder: bool = False) -> int:
    with world.database.write() as session:
        return mailings.send_at_once(session, world.config, world.keys, mailer, meeting.id, OFFICER, world.now, reminder=reminder)


def test_each_member_gets_one_mail_however_often_it_is_asked_for(world: World, mailer: Mailer) -> None:
    meeting, _ = opened(world)
    number = len(world.members(meeting))
    assert number == send(world, mailer, meeting)
    assert 0 == send(world, mailer, meeting)
    assert number == len(letters(world))


def test_a_reminder_goes_to_those_who_have_not_voted(world: World, mailer: Mailer) -> None:
    meeting, uuid = opened(world)
    everybody = world.members(meeting)
    send(world, mailer, meeting)
    world.cast(uuid, everybody[0])
    assert len(everybody) - 1 == send(world, mailer, meeting, reminder=True)
    with pytest.raises(PreconditionError, match="last reminder began"):
        send(world, mailer, meeting, reminder=True)
    assert 1 == sum(letter.handle == everybody[0].handle for letter in letters(world))


def test_a_withdrawn_link_is_sent_to_nobody(world: World, mailer: Mailer) -> None:
    meeting, _ = opened(world)
    gone = world.members(meeting)[0]
    with world.database.write() as session:
        registrar.withdraw(session, gone.handle, cause=Cause.NO_LONGER_MEMBER, actor=SECRETARY, approval=None, now=world.now)
    send(world, mailer, meeting)
    assert gone.handle not in {letter.handle for letter in letters(world)}
    with world.database.write() as session:
        entry = session.merge(gone)
        session.refresh(entry)
        assert not invitations.send_one(session, world.config, world.keys, mailer, entry, world.now)


def test_nothing_goes_out_before_the_lock_nor_by_a_role_without_the_right_nor_where_the_secretary_sends(
    world: World, mailer: Mailer
) -> None:
    draft = world.meeting(two_people=False)
    world.election(draft, people=0, practice=True)
    with pytest.raises(PreconditionError, match="locked"):
        send(world, mailer, draft)
    meeting, _ = opened(world)
    with world.database.write() as session, pytest.raises(NotAllowedError):
        mailings.send_at_once(session, world.config, world.keys, mailer, meeting.id, SECRETARY, world.now)
    with world.database.write() as session:
        session.get_one(Meeting, meeting.id).split_trust = True
    with pytest.raises(PreconditionError, match="membership secretary"):
        send(world, mailer, meeting)
    assert [] == letters(world)


def test_three_days_before_the_close_each_key_holder_is_asked_once_to_show_the_key(world: World, mailer: Mailer) -> None:
    uuid = world.election(world.meeting(two_people=False), people=3, practice=True)
    world.open(uuid)

    def ask(before: timedelta) -> int:
        return invitations.ask_key_holders_again(world.database, world.config, world.keys, mailer, CLOSES - before)

    with world.database.write() as session:
        shown = session.get_one(Trustee, (uuid, 2))
        shown.possession_at = CLOSES - timedelta(days=2)
        session.add(shown)
    assert 0 == ask(timedelta(days=3, seconds=1))
    assert 2 == ask(timedelta(days=3))
    assert [0, 0] == [ask(timedelta(days=2)), ask(timedelta(hours=1))]
    assert 0 == ask(timedelta(0)), "whoever did not answer is not asked twice"
    with world.database.read() as session:
        keys = sorted(letter.key for letter in session.exec(select(Outbox).where(Outbox.kind == "trustee")))
    assert [f"trustee/{uuid}/1/0/again", f"trustee/{uuid}/3/0/again"] == keys
