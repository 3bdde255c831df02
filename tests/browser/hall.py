"""A meeting on a running site, made through the services themselves, and members who hold links to it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta

from sqlmodel import col, select

from ballot.config import Config
from ballot.models import Election, ElectionState, RollEntry
from ballot.protocol.messages import Question, QuestionH, QuestionNH
from ballot.services import approvals, lifecycle, registrar, roll
from ballot.services.database import Database
from ballot.services.journal import Actor
from ballot.services.keys import Keys
from ballot.services.lifecycle import ElectionDraft
from ballot.services.mail import Asked, Mailer, invitation
from tests.support.site import Site

OFFICER = Actor("officer-1", "returning-officer")
SECRETARY = Actor("officer-2", "returning-officer")
NAMES = ("Ama Boateng", "Ben Clough", "Cat Dhillon", "Dev Entwistle", "Eve Farrar")
RON = "Re-open nominations"

MOTION = QuestionH(
    ("For", "Against"),
    1,
    1,
    "Motion 1: free buses for under-22s\nThis meeting resolves to campaign for free bus travel for everyone under 22.",
    blank=True,
)
COMMITTEE = QuestionNH(
    ("Asha Okafor", "Bram Lister", "Cerys Nuttall", "Dilip Shah", "Elsie Marsden", "Femi Adeyemi", RON),
    "Strategy committee: 3 places\nAsha Okafor: I have run our food bank for six years.\nBram Lister: More say for branches.",
)
DELEGATES = QuestionH(("Gail Platt", "Huw Pickles", "Iris Wong", "Jo Stott"), 0, 2, "Conference delegates: up to 2", blank=False)


def draft(
    name: str, *questions: Question, closes_in: timedelta = timedelta(days=7), opens_in: timedelta = timedelta(), **more: object
) -> ElectionDraft:
    now = datetime.now(UTC).replace(microsecond=0)
    rules = [
        {"rule": "scottish-2011", "seats": 3, "ron": True}
        if isinstance(question, QuestionNH)
        else {"rule": "motion", "threshold": "simple-majority", "base": "cast"}
        if question.blank and question.max == 1
        else {"rule": "approval", "seats": 2}
        for question in questions
    ]
    return ElectionDraft(name, questions, now + opens_in, now + closes_in, rules=rules, **{"practice": True, "minimum_ballots": 1, **more})  # type: ignore[arg-type]


@dataclass
class Member:
    name: str
    email: str
    handle: str
    link: str
    code: str


class Hall:
    """The officer's side of a site that runs in another process: the same database, the same keys."""

    def __init__(self, site: Site) -> None:
        self.site = site
        self.config = Config.from_environ(site.environ)
        self.database = Database(self.config.database_url)
        self.keys = Keys.open(self.config.keys)
        self.mailer = Mailer(self.config, self.keys)

    @property
    def now(self) -> datetime:
        return datetime.now(UTC)

    def meeting(self, *drafts: ElectionDraft, name: str = "2026 annual general meeting", names: Sequence[str] = NAMES) -> Meeting:
        """A meeting whose elections are drafts, with a frozen roll."""
        with self.database.write() as db:
            meeting = lifecycle.make_meeting(db, name, OFFICER, self.now, two_people=False)
            lines = "\n".join(
                f"M{i},{n},{n.replace(' ', '.').lower()}@example.org,Full member,Active,2020-01-01" for i, n in enumerate(names, 1)
            )
            table = f"Membership number,Name,Email,Membership type,Status,Date joined\n{lines}\n".encode()
            roll.load(db, meeting.id, roll.preview(table, date(2026, 1, 1)), OFFICER, self.now)
            roll.freeze(db, meeting.id, OFFICER, self.now)
            uuids = [lifecycle.make_election(db, meeting.id, one, OFFICER, self.now).uuid for one in drafts]
            return Meeting(self, meeting.id, name, uuids)


class Meeting:
    """One meeting of the hall."""

    def __init__(self, hall: Hall, identifier: str, name: str, uuids: list[str]) -> None:
        self.hall, self.id, self.name, self.uuids = hall, identifier, name, uuids

    def lock(self) -> None:
        for uuid in self.uuids:
            lifecycle.lock(self.hall.database, self.hall.keys, uuid, OFFICER, self.hall.now)

    def open(self, *uuids: str) -> None:
        with self.hall.database.write() as db:
            for uuid in uuids or self.uuids:
                lifecycle.open_voting(db, uuid, OFFICER, self.hall.now, reason="The same was asked last month.")

    def lock_and_open(self) -> Meeting:
        self.lock()
        self.open()
        return self

    def close(self, uuid: str) -> None:
        lifecycle.close(self.hall.database, uuid, OFFICER, self.hall.now, reason="The test is over.")

    def set_close(self, uuid: str, moment: datetime) -> None:
        """The announced close is another one, without ceremony."""
        with self.hall.database.write() as db:
            election = db.get_one(Election, uuid)
            election.closes_at = moment
            db.add(election)

    @property
    def members(self) -> list[Member]:
        expires = self.hall.now + timedelta(days=30)
        with self.hall.database.read() as db:
            entries = db.exec(select(RollEntry).where(RollEntry.meeting_id == self.id).order_by(col(RollEntry.row))).all()
            found = []
            for entry in entries:
                link = registrar.voting_link(db, self.hall.config, self.hall.keys, entry, expires)
                found.append(Member(entry.name, entry.email, entry.handle, link.url, str(link.code)))
            return found

    def send(self) -> None:
        """Queue everybody's invitation."""
        with self.hall.database.write() as db:
            elections = db.exec(select(Election).where(Election.meeting_id == self.id, Election.state != ElectionState.DRAFT)).all()
            for member in self.members:
                letter = invitation(
                    meeting_id=self.id,
                    meeting=self.name,
                    handle=member.handle,
                    generation=0,
                    name=member.name,
                    address=member.email,
                    link=member.link,
                    code=member.code,
                    opens=min(e.opens_at for e in elections),
                    closes=max(e.closes_at for e in elections),
                    elections=[Asked(e.name, e.fingerprint) for e in elections],
                )
                self.hall.mailer.put(db, replace(letter), self.hall.now)


__all__ = ["COMMITTEE", "DELEGATES", "MOTION", "OFFICER", "SECRETARY", "Hall", "Meeting", "Member", "approvals", "draft"]
