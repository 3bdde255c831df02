"""Mailings: the first few before all, in batches, paused, killed and gone on with; nobody is missed, and nobody written to twice."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from sqlmodel import select

from ballot.errors import MalformedError, NotAllowedError, PreconditionError, UnavailableError
from ballot.models import Mailing, MailSender, Outbox
from ballot.services import approvals, deliveries, invitations, journal, lifecycle, mail, mailings, officers, registrar, tally, wording
from ballot.services.approvals import Need
from ballot.services.journal import Act
from ballot.services.mail import Action, Mailer, Report, Sender, State
from ballot.services.mailings import Stage
from ballot.services.registrar import Cause
from ballot.services.wording import Kind
from tests.services.test_invitations import letters, opened
from tests.services.world import MOTION, OFFICER, OPENS, SECRETARY, World
from tests.support.need import ROOT
from tests.support.smtp import SMTPServer


@pytest.fixture
def mailer(world: World) -> Mailer:
    return Mailer(world.config, world.keys)


class Server:
    """A transport that keeps what it is given, in memory, and answers as told."""

    def __init__(self, refuses: Callable[[str], bool] = lambda _address: False) -> None:
        self.taken: list[str] = []
        self.refuses = refuses

    def deliver(self, message: mail.Outgoing, before_last_line: Callable[[], None]) -> str:
        address = message["To"].addresses[0].addr_spec
        if self.refuses(address):
            raise mail.sender.MailRefusedError("550 5.1.1 no such mailbox")
        before_last_line()
        self.taken.append(address)
        return "250 taken"

    def close(self) -> None:
        """Nothing to do."""


@pytest.fixture
def server() -> Server:
    return Server()


@pytest.fixture
def send(world: World, mailer: Mailer, server: Server) -> Callable[[], int]:
    """Send whatever may leave, batch after batch, until nothing does."""
    refill = mailings.refill(world.database, world.config, world.keys, mailer, world.clock)

    def run() -> int:
        sender = Sender(world.database, mailer, server, world.clock, wait=lambda _seconds: None, refill=refill)  # type: ignore[arg-type]
        return sender.run(until_empty=True)

    return run


def begin(world: World, meeting_id: str, first: list[str] | None = None) -> str:
    with world.database.write() as session:
        return mailings.begin_invitations(session, meeting_id, OFFICER, world.now, first=first or []).id


def everybody(world: World, mailing: str) -> None:
    with world.database.write() as session:
        mailings.everybody(session, mailing, OFFICER, world.now)


def stage(world: World, mailing: str) -> Mailing:
    with world.database.read() as session:
        return session.get_one(Mailing, mailing)


def acts(world: World, meeting_id: str) -> list[str]:
    with world.database.read() as session:
        return [entry.act for entry in journal.entries(session, meeting_id)]


# --- first, all, pause --------------------------------------------------------------------------------------------


def test_the_first_few_get_it_alone_and_the_others_after_the_officers_word(world: World, server: Server, send: Callable[[], int]) -> None:
    meeting, _ = opened(world)
    members = world.members(meeting)
    mailing = begin(world, meeting.id, [members[0].handle, members[3].handle])
    assert 2 == send()
    assert {members[0].email, members[3].email} == set(server.taken)
    assert 0 == send()
    everybody(world, mailing)
    everybody(world, mailing)
    assert len(members) - 2 == send()
    assert sorted(member.email for member in members) == sorted(server.taken)
    assert Stage.DONE == stage(world, mailing).stage
    assert 0 == send()


def test_no_more_than_ten_are_first(world: World) -> None:
    meeting, _ = opened(world, members=12)
    with pytest.raises(PreconditionError, match="10 people or fewer"):
        begin(world, meeting.id, [member.handle for member in world.members(meeting)[:11]])


def test_a_pause_holds_what_waits_and_what_is_still_to_be_queued(
    world: World, mailer: Mailer, server: Server, send: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "BATCH", 3)
    meeting, _ = opened(world)
    members = world.members(meeting)
    mailing = begin(world, meeting.id)
    assert 3 == mailings.fill(world.database, world.config, world.keys, mailer, mailing, world.now)
    with world.database.write() as session:
        mailings.pause(session, mailing, OFFICER, world.now)
        mailings.pause(session, mailing, OFFICER, world.now)
    assert 0 == send()
    assert 0 == mailings.fill(world.database, world.config, world.keys, mailer, mailing, world.now)
    with world.database.write() as session:  # other mail goes on
        mailer.put(session, mail.sign_in(name="A", address="a@example.org", link="https://x.example/#y", code="z", minutes=30), world.now)
    assert 1 == send()
    with world.database.write() as session:
        mailings.resume(session, mailing, OFFICER, world.now)
    assert len(members) == send()
    assert Counter(member.email for member in members) == Counter(server.taken[1:])
    assert [1, 1] == [acts(world, meeting.id).count(act) for act in (Act.MAILING_PAUSED, Act.MAILING_RESUMED)]


def test_batches_leave_nobody_out_and_one_line_in_the_journal(
    world: World, server: Server, send: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "BATCH", 7)
    meeting, _ = opened(world, members=50)
    begin(world, meeting.id)
    assert 50 == send()
    assert 50 == len(set(server.taken))
    with world.database.read() as session:
        sent = [entry for entry in journal.entries(session, meeting.id) if entry.act == Act.LINKS_SENT]
    assert [50] == [entry.details["mails"] for entry in sent]


def test_begun_again_it_reaches_who_was_added_since_and_nobody_twice(world: World, server: Server, send: Callable[[], int]) -> None:
    meeting = world.meeting(two_people=False)
    south = world.election(meeting, people=0, practice=True, electorate="region:South")
    world.open(south)
    members = world.members(meeting)
    mailing = begin(world, meeting.id)
    assert 4 == send()
    assert mailing == begin(world, meeting.id)
    assert 0 == send()
    world.clock.moment = OPENS - timedelta(hours=1)
    world.lock(world.election(meeting, people=0, practice=True))
    assert mailing == begin(world, meeting.id)
    assert 4 == send()
    assert Counter(member.email for member in members) == Counter(server.taken)


def test_whoever_got_a_new_link_before_their_turn_gets_no_second_mail(
    world: World, mailer: Mailer, server: Server, send: Callable[[], int]
) -> None:
    meeting, _ = opened(world)
    members = world.members(meeting)
    mailing = begin(world, meeting.id, [members[0].handle])
    send()
    with world.database.write() as session:
        entry = registrar.reissue(
            session, members[1].handle, cause=Cause.MEMBER_ASKED, email="new@example.org", actor=SECRETARY, approval=None, now=world.now
        )
        invitations.send_one(session, world.config, world.keys, mailer, entry, world.now)
    everybody(world, mailing)
    send()
    assert 1 == server.taken.count("new@example.org")
    assert members[1].email not in server.taken
    assert len(members) == len(server.taken)


def test_a_batch_that_half_fails_pauses_the_mailing(world: World, mailer: Mailer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mailings, "BATCH", 20)
    meeting, _ = opened(world, members=60)
    # Who is in the first batch is random: of any 20, at least 12 are refused.
    server = Server(lambda address: int(address.removeprefix("member").partition("@")[0]) >= 8)
    refill = mailings.refill(world.database, world.config, world.keys, mailer, world.clock)
    sender = Sender(world.database, mailer, server, world.clock, wait=lambda _seconds: None, refill=refill)  # type: ignore[arg-type]
    mailing = begin(world, meeting.id)
    sender.run(until_empty=True)
    held = stage(world, mailing)
    assert held.paused_at is not None
    assert "of the last 20 e-mails did not arrive" in held.paused_why
    assert 20 == len(letters(world))
    server.refuses = lambda _address: False
    with world.database.write() as session:
        mailings.resume(session, mailing, OFFICER, world.now)
    sender.run(until_empty=True)
    assert 60 == len(letters(world))
    assert Stage.DONE == stage(world, mailing).stage


def test_a_member_who_cannot_be_written_to_holds_up_nobody_and_is_listed(world: World, server: Server, send: Callable[[], int]) -> None:
    meeting, _ = opened(world)
    bad = world.members(meeting)[2]
    with world.database.write() as session:
        entry = session.merge(bad)
        entry.email = "two@at@example.org"
        session.add(entry)
    mailing = begin(world, meeting.id)
    assert 7 == send()
    assert Stage.DONE == stage(world, mailing).stage
    with world.database.read() as session:
        (problem,) = deliveries.problems(session, meeting.id)
    assert (bad.handle, True, mail.Fault.NO_ADDRESS) == (problem.entry.handle, problem.lost, problem.fault)


def test_sign_in_mail_does_not_wait_behind_a_mailing(world: World, mailer: Mailer, server: Server, send: Callable[[], int]) -> None:
    meeting, _ = opened(world, members=60)
    mailings.fill(world.database, world.config, world.keys, mailer, begin(world, meeting.id), world.now)
    world.clock.advance(minutes=1)
    with world.database.write() as session:
        mailer.put(session, mail.sign_in(name="A", address="a@example.org", link="https://x.example/#y", code="z", minutes=30), world.now)
    send()
    assert "a@example.org" == server.taken[0]


def test_roles_without_the_right_begin_pause_and_go_on_with_nothing(world: World) -> None:
    meeting, _ = opened(world)
    mailing = begin(world, meeting.id)
    for act in (
        lambda session: mailings.begin_invitations(session, meeting.id, SECRETARY, world.now),
        lambda session: mailings.begin_reminder(session, meeting.id, SECRETARY, world.now),
        lambda session: mailings.everybody(session, mailing, SECRETARY, world.now),
        lambda session: mailings.pause(session, mailing, SECRETARY, world.now),
        lambda session: mailings.resume(session, mailing, SECRETARY, world.now),
        lambda session: wording.write_words(
            session, world.config, meeting.id, Kind.REMINDER, subject="", introduction="", actor=SECRETARY, now=world.now
        ),
    ):
        with world.database.write() as session, pytest.raises(NotAllowedError):
            act(session)
    with pytest.raises(NotAllowedError):
        mailings.begin_result(world.database, world.config, meeting.id, [], SECRETARY, world.now)


# --- words --------------------------------------------------------------------------------------------------------


def write(world: World, meeting_id: str, kind: Kind, introduction: str = "", subject: str = "") -> None:
    with world.database.write() as session:
        wording.write_words(
            session, world.config, meeting_id, kind, subject=subject, introduction=introduction, actor=OFFICER, now=world.now
        )


def test_an_officers_words_stand_in_every_mail_of_that_kind(world: World, mailer: Mailer) -> None:
    meeting, _ = opened(world)
    write(world, meeting.id, Kind.INVITATION, "Dear members,\r\n\r\nsee https://example.org/agenda.", "Your votes")
    with world.database.write() as session:
        mailings.send_at_once(session, world.config, world.keys, mailer, meeting.id, OFFICER, world.now)
    texts = [mailer.open(letter) for letter in letters(world)]
    assert texts
    for text in texts:
        assert "Dear members,\n\nsee https://example.org/agenda." in text.plain
        assert "<p>see https://example.org/agenda.</p>" in text.html
        assert text.subject.startswith("PRACTICE: Your votes: closes")
        assert 1 == text.html.count("<a ")


@pytest.mark.parametrize(
    "words",
    [
        "x" * 3001,
        "go to https://vote.example.org/vote",
        "go to https://vote.example.org/vote#abc.def",
        "or HTTPS://VOTE.EXAMPLE.ORG/officer/",
        "https://vote.example.org",
        "see https://evil.example/vote-now.",
        "see http://ballot.example.net/",
        "www.vote-example.org/x",
        "https://example.org/page#token",
        "your code is 9fXwB-Gk2LmN-4pQrS-tUvWxY",
        "a\0b",
        "a\u2028b",
    ],
)
def test_words_that_could_mislead_members_are_refused(world: World, words: str) -> None:
    meeting = world.meeting(two_people=False)
    with pytest.raises(MalformedError):
        write(world, meeting.id, Kind.INVITATION, words)


@pytest.mark.parametrize(
    "words",
    [
        "",
        "Devoted members, see https://example.org/agm?year=2026.",
        "https://vote.example.org/e/AQ2oxsGFX3nuAj/result",
        "We pivot on (https://example.org).",
    ],
)
def test_ordinary_words_and_links_are_welcome(world: World, words: str) -> None:
    meeting = world.meeting(two_people=False)
    write(world, meeting.id, Kind.INVITATION, words)
    with world.database.read() as session:
        assert words == wording.words_of(session, meeting.id, Kind.INVITATION).introduction


@pytest.mark.parametrize("subject", ["a\r\nBcc: all@example.org", "x" * 101, "vote at https://x.example", "TEST of it", "Practice: no"])
def test_a_subject_that_cannot_stand_is_refused(world: World, subject: str) -> None:
    meeting = world.meeting(two_people=False)
    with pytest.raises(MalformedError):
        write(world, meeting.id, Kind.INVITATION, "", subject)


def test_a_test_mail_is_marked_and_opens_nothing(world: World, mailer: Mailer) -> None:
    meeting, _ = opened(world)
    with world.database.read() as session:
        for kind in Kind:
            words = wording.words_of(session, meeting.id, kind)
            letter = mail.test_of(wording.specimen(session, world.config, meeting.id, kind, "Rosa", world.now, words), "rosa@example.org")
            text = mailer.written(letter)
            assert text.subject.startswith("TEST: ")
            assert text.plain.startswith("TEST: ")
            assert "TEST: only you get this e-mail" in text.html
            for member in world.members(meeting):
                link = world.link(member)
                assert link.code is not None
                assert link.code not in text.plain + text.html
                assert link.url.partition("#")[2] not in text.plain + text.html


@pytest.mark.parametrize("name", ["Ann\r\nBcc: all@example.org", "Ann\nX", "\x00"])
def test_a_line_break_in_any_name_is_refused_in_every_kind_of_mail(world: World, mailer: Mailer, name: str) -> None:
    decided = mail.Decided("Motion", "now", ("Carried.",), "https://x.example/r", "https://x.example/c", "f")
    now = world.now
    kinds = [
        lambda n: mail.receipt(
            meeting_id="m", election=n, name="A", address="a@example.org", tracker="t", cast_at=now, check_url="u", closes=now
        ),
        lambda n: mail.receipt(
            meeting_id="m", election="E", name=n, address="a@example.org", tracker="t", cast_at=now, check_url="u", closes=now
        ),
        lambda n: mail.sign_in(name=n, address="a@example.org", link="u", code="c", minutes=1),
        lambda n: mail.trustee_link(
            meeting_id="m", election="E", election_uuid="u", number=1, generation=0, name=n, address="a@example.org", link="u",
            closes=now, task="t",
        ),
        lambda n: mail.result(meeting_id="m", meeting=n, number=1, handle="h", name="A", address="a@example.org", results=[decided]),
        lambda n: mail.result(meeting_id="m", meeting="M", number=1, handle="h", name=n, address="a@example.org", results=[decided]),
        lambda n: mail.second_person(
            meeting_id="m", approval="a", officer="o", name="A", address="a@example.org", asked_by=n, act="Lock", about="E", meeting="M",
            link="u",
        ),
    ]  # fmt: skip
    for make in kinds:
        assert mailer.written(make("Ann Archer"))  # type: ignore[no-untyped-call]
        with pytest.raises(MalformedError):
            mailer.written(make(name))  # type: ignore[no-untyped-call]


# --- reminders ----------------------------------------------------------------------------------------------------


def reminded(world: World, mailer: Mailer, meeting_id: str) -> int:
    with world.database.write() as session:
        return mailings.send_at_once(session, world.config, world.keys, mailer, meeting_id, OFFICER, world.now, reminder=True)


def plan(world: World, meeting_id: str) -> mailings.ReminderPlan:
    with world.database.read() as session:
        return mailings.reminder_plan(session, meeting_id, world.now)


def test_reminders_are_counted_spaced_and_limited(world: World, mailer: Mailer, send: Callable[[], int]) -> None:
    meeting, uuid = opened(world)
    everyone = world.members(meeting)
    assert "have not been sent yet" in plan(world, meeting.id).obstacle
    begin(world, meeting.id)
    send()
    for number in (1, 2, 3):
        world.cast(uuid, everyone[number])
        now = plan(world, meeting.id)
        assert (number, len(everyone) - number, number, "") == (now.number, now.to, now.voted, now.obstacle)
        assert len(everyone) - number == reminded(world, mailer, meeting.id)
        send()
        with pytest.raises(PreconditionError):
            reminded(world, mailer, meeting.id)
        world.clock.advance(hours=20)
    assert "3 reminders have been sent" in plan(world, meeting.id).obstacle
    world.close(uuid)
    assert "not open" in plan(world, meeting.id).obstacle


def test_a_reminder_passes_over_whom_mail_does_not_reach_and_who_votes_meanwhile(
    world: World, mailer: Mailer, send: Callable[[], int], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "BATCH", 2)
    meeting, uuid = opened(world)
    everyone = sorted(world.members(meeting), key=lambda member: member.handle)
    begin(world, meeting.id)
    send()
    lost, full, *others = everyone
    with world.database.write() as session:
        rows = {row.handle: row for row in session.exec(select(Outbox).where(Outbox.kind == "invitation"))}
        for member, status in ((lost, "5.1.1"), (full, "5.2.2")):
            mailer.report(session, Report(Action.FAILED, status, "no", (), (rows[member.handle].message_id,), ()), world.now)
    assert (1, 7) == ((now := plan(world, meeting.id)).unreachable, now.to)
    with world.database.write() as session:
        mailing = mailings.begin_reminder(session, meeting.id, OFFICER, world.now).id
    mailings.fill(world.database, world.config, world.keys, mailer, mailing, world.now)
    world.cast(uuid, others[-1])
    before = len(server.taken)
    send()
    now_reminded = server.taken[before:]
    assert sorted(member.email for member in (full, *others[:-1])) == sorted(now_reminded)


# --- results ------------------------------------------------------------------------------------------------------


RULE = {"rule": "motion", "threshold": "simple-majority", "base": "cast"}


def published(world: World, **changes: object) -> tuple[str, str]:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, people=0, practice=True, questions=(MOTION,), minimum_ballots=1, rules=(RULE,), **changes)
    world.open(uuid)
    world.cast(uuid, world.members(meeting)[0], [[0, 1, 0]])
    world.close(uuid)
    tally.begin(world.database, uuid, OFFICER, world.now)
    tally.open_practice(world.database, world.keys, uuid, world.now)
    tally.publish(world.database, uuid, OFFICER, world.now)
    return meeting.id, uuid


def test_the_result_goes_once_to_whoever_could_vote_verdict_first(
    world: World, mailer: Mailer, server: Server, send: Callable[[], int]
) -> None:
    meeting_id, uuid = published(world, electorate="region:South")
    with world.database.read() as session:
        assert [uuid] == [e.uuid for e in mailings.unmailed_results(session, meeting_id)]
    mailing = mailings.begin_result(world.database, world.config, meeting_id, [uuid], OFFICER, world.now)
    assert 4 == mailing.expected
    mailings.fill(world.database, world.config, world.keys, mailer, mailing.id, world.now)
    with world.database.read() as session:
        rows = session.exec(select(Outbox).where(Outbox.kind == "result")).all()
        text = mailer.open(rows[0])
        assert text.plain.index("Carried") < text.plain.index("Hello")
        for part in (text.plain, text.html):
            assert "Turnout 1 of 4 (25.0\N{NO-BREAK SPACE}%)" in part, "no line ends before the per cent sign"
        assert f"https://vote.example.org/e/{uuid}/result" in text.plain
        assert f"https://vote.example.org/e/{uuid}/check" in text.html
    assert 4 == send()
    assert sorted({member.email for member in _members(world, meeting_id) if "region:South" in member.sections}) == sorted(server.taken)
    with pytest.raises(PreconditionError):
        mailings.begin_result(world.database, world.config, meeting_id, [uuid], OFFICER, world.now)
    assert 0 == send()
    with world.database.read() as session:
        assert [] == mailings.unmailed_results(session, meeting_id)
        assert {None} == {row.sealed for row in session.exec(select(Outbox))}, "wiped once accepted"
    assert 1 == acts(world, meeting_id).count(Act.RESULT_MAILED)


def _members(world: World, meeting_id: str):  # type: ignore[no-untyped-def]
    with world.database.read() as session:
        return mailings.roll.members(session, meeting_id)


def test_no_result_is_mailed_before_it_is_published_and_a_void_ballot_is_told_as_void(world: World, mailer: Mailer) -> None:
    meeting, uuid = opened(world)
    with pytest.raises(PreconditionError, match="published"):
        mailings.begin_result(world.database, world.config, meeting.id, [uuid], OFFICER, world.now)
    with world.database.write() as session:
        lifecycle.void(session, uuid, "The wrong motion was printed.", OFFICER, world.now)
    mailing = mailings.begin_result(world.database, world.config, meeting.id, [uuid], OFFICER, world.now)
    assert "declared void. The wrong motion was printed." in mailing.words["results"][0]["verdict"][0]


def test_a_result_mailing_that_is_killed_goes_on_and_nobody_gets_it_twice(
    world: World, mailer: Mailer, server: Server, send: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mailings, "BATCH", 2)
    meeting_id, uuid = published(world)
    mailing = mailings.begin_result(world.database, world.config, meeting_id, [uuid], OFFICER, world.now).id
    real = Mailer.put
    put: list[int] = []

    def dies(self: Mailer, *arguments: object) -> object:
        put.append(1)
        if len(put) == 4:
            raise UnavailableError("killed between two letters of a batch")
        return real(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(Mailer, "put", dies)
    mailings.fill(world.database, world.config, world.keys, mailer, mailing, world.now)
    with pytest.raises(UnavailableError):
        mailings.fill(world.database, world.config, world.keys, mailer, mailing, world.now)
    send()
    assert Counter(member.email for member in _members(world, meeting_id)) == Counter(server.taken)


# --- health, problems ---------------------------------------------------------------------------------------------


def test_health_and_problems_tell_how_it_goes_without_names(world: World, mailer: Mailer) -> None:
    meeting, _ = opened(world)
    server = Server(lambda address: address == "member3@example.org")
    with world.database.read() as session:
        assert not deliveries.health(session, mailer, meeting.id, world.now).alive
    mailings.fill(world.database, world.config, world.keys, mailer, begin(world, meeting.id), world.now)
    with world.database.read() as session:
        waiting = deliveries.health(session, mailer, meeting.id, world.now + timedelta(minutes=5))
    assert (world.now, 8) == (waiting.oldest_waiting, waiting.states[State.WAITING])
    Sender(world.database, mailer, server, world.clock, wait=lambda _seconds: None).run(until_empty=True)  # type: ignore[arg-type]
    with world.database.read() as session:
        health = deliveries.health(session, mailer, meeting.id, world.now)
        found = deliveries.problems(session, meeting.id)
        later = deliveries.health(session, mailer, meeting.id, world.now + timedelta(minutes=3))
    assert (True, "", 7, 1, 1) == (
        health.alive,
        health.trouble,
        health.states[State.ACCEPTED],
        health.states[State.FAILED],
        health.problems,
    )
    assert not later.alive
    assert ["member3@example.org"] == [problem.entry.email for problem in found]
    assert {"no such address": 1} == deliveries.reasons(found)


def test_a_sender_in_trouble_says_so(world: World, mailer: Mailer) -> None:
    meeting, _ = opened(world)
    mailings.fill(world.database, world.config, world.keys, mailer, begin(world, meeting.id), world.now)

    class Unreachable(Server):
        calls = 0

        def deliver(self, message: mail.Outgoing, before_last_line: Callable[[], None]) -> str:
            self.calls += 1
            if self.calls == 1:
                raise mail.sender.MailServerError("The mail server mx.example.org cannot be reached: refused")
            return super().deliver(message, before_last_line)

    seen: list[str] = []

    def wait(_seconds: float) -> None:
        with world.database.read() as session:
            seen.append(session.exec(select(MailSender)).one().trouble)

    Sender(world.database, mailer, Unreachable(), world.clock, wait=wait).run(until_empty=True)  # type: ignore[arg-type]
    assert "mx.example.org cannot be reached" in seen[0]
    assert "" == seen[-1]


def test_a_corrected_address_is_no_problem_any_more(world: World, mailer: Mailer) -> None:
    meeting, _ = opened(world)
    server = Server(lambda address: address == "member3@example.org")
    mailings.fill(world.database, world.config, world.keys, mailer, begin(world, meeting.id), world.now)
    sender = Sender(world.database, mailer, server, world.clock)  # type: ignore[arg-type]
    sender.send_due()
    world.clock.advance(minutes=1)
    with world.database.write() as session:
        (problem,) = deliveries.problems(session, meeting.id)
        handle = problem.entry.handle
        mailer.withdraw(session, meeting.id, handle)
        entry = registrar.reissue(
            session,
            problem.entry.handle,
            cause=Cause.WRONG_ADDRESS,
            email="right@example.org",
            actor=SECRETARY,
            approval=None,
            now=world.now,
        )
        invitations.send_one(session, world.config, world.keys, mailer, entry, world.now)
    sender.send_due()
    assert "right@example.org" in server.taken
    with world.database.read() as session:
        assert [] == deliveries.problems(session, meeting.id)


# --- the second person --------------------------------------------------------------------------------------------


def test_every_other_officer_who_may_agree_is_asked_by_mail_once(world: World, mailer: Mailer) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    with world.database.write() as session:
        people = {
            role: officers.add_officer(session, name=f"The {role}", email=f"{role}@example.org", roles=[role], now=world.now)
            for role in ("returning-officer", "deputy", "membership-secretary", "observer")
        }
        asker = journal.Actor(people["returning-officer"].id, "returning-officer")
        asked = approvals.ask(session, meeting.id, Need.LOCK, uuid, "", asker, world.now)
        for _ in range(2):
            invitations.ask_second_person(session, world.config, mailer, asked.id, act="Lock the ballot", about="Motions", now=world.now)
        rows = session.exec(select(Outbox).where(Outbox.kind == "second")).all()
        texts = [mailer.open(row) for row in rows]
    assert ["deputy@example.org"] == [text.recipient for text in texts]
    assert "The returning-officer asks for your agreement" in texts[0].plain
    assert f"https://vote.example.org/officer/approvals/{asked.id}" in texts[0].html


# --- killed for real ----------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_the_command_killed_in_the_middle_of_a_mailing_goes_on(tmp_path: Path, smtp_server: SMTPServer) -> None:
    """`ballot mail` queues and sends; it is killed three times at moments it does not choose."""
    from ballot.config import Config
    from ballot.services.startup import prepare

    environ = {name: value for name, value in os.environ.items() if not name.startswith("BALLOT_")} | {
        "BALLOT_DATA": str(tmp_path / "data"),
        "BALLOT_KEYS": str(tmp_path / "keys"),
        "BALLOT_PUBLIC_URL": "https://vote.example.org",
        "BALLOT_SMTP_HOST": smtp_server.host,
        "BALLOT_SMTP_PORT": str(smtp_server.port),
        "BALLOT_SMTP_TLS": "none",
        "BALLOT_SMTP_FROM": "ballots@example.org",
        "BALLOT_MAILS_PER_MINUTE": "20000",
    }
    config = Config.from_environ(environ)
    database, keys = prepare(config)
    world = World(database, keys, config=config)
    meeting, _ = opened(world, members=120)
    begin(world, meeting.id)
    command = [sys.executable, "-m", "ballot.cli", "mail"]
    for goal in (20, 60, 100):
        process = subprocess.Popen(command, env=environ, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        deadline = time.monotonic() + 60
        while len(smtp_server.delivered) < goal and time.monotonic() < deadline and process.poll() is None:
            time.sleep(0.01)
        process.send_signal(signal.SIGKILL)
        process.wait()
    done = subprocess.run(command, env=environ, cwd=ROOT, capture_output=True, text=True, check=False, timeout=120)
    assert 0 == done.returncode, done.stderr
    received = Counter(delivered.recipients[0] for delivered in smtp_server.delivered)
    unknown = [row for row in letters(world) if row.state == State.UNKNOWN]
    assert {1} == set(received.values())
    assert 120 == len(letters(world))
    assert len(unknown) <= 3
    assert 120 - len(unknown) <= len(received) <= 120
    database.dispose()
