"""The journal of a meeting: every officer's act, hash-chained like the board and published with the result.

No personal data: an officer is a role and a random identifier, a member is never named, not even by a handle.
An entry's text is one line of compact JSON; its hash is the SHA-256 of that line, and the next entry's `parent`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, ClassVar, Final

from sqlmodel import Session, col, select

from ballot.errors import BoardDamagedError, MalformedError, NotFoundError
from ballot.language import N_, TextEnum, phrase
from ballot.models import JournalEntry, JournalHead, Meeting
from ballot.protocol.messages import HASH, INTEGER, TEXT, UUID, Codec, Message, sha256_hex
from ballot.services.clock import iso


class Act(TextEnum):
    """What can be on the record."""

    MEETING_MADE = N_("meeting made")
    ROLL_LOADED = N_("roll loaded")
    ROLL_FROZEN = N_("roll frozen")
    ELECTION_MADE = N_("election made")
    ELECTION_CHANGED = N_("election changed")
    TRUSTEES_NAMED = N_("key-holders named")
    TRUSTEE_LINK_SENT = N_("key-holder's link sent")
    KEY_RECEIVED = N_("key-holder's message received")
    POSSESSION_PROVED = N_("key-holder proved possession")
    KEY_LOST = N_("key reported lost")
    CREDENTIALS_RECEIVED = N_("public credentials received from the registrar")
    APPROVAL_ASKED = N_("second person asked")
    APPROVAL_GIVEN = N_("second person agreed")
    LOCKED = N_("election locked")
    PRACTICE_MADE = N_("practice made")
    PRACTICE_SKIPPED = N_("opened without a finished practice")
    LINKS_SENT = N_("links sent")
    REMINDER_SENT = N_("reminder sent")
    RESULT_MAILED = N_("result mailed to members")
    MAILING_PAUSED = N_("a mailing paused")
    MAILING_RESUMED = N_("a mailing gone on with")
    OPENED = N_("voting opened")
    LINK_REISSUED = N_("a link reissued")
    LINK_WITHDRAWN = N_("a link withdrawn")
    CARD_MADE = N_("a paper card made")
    CARD_PRINTED = N_("half of a paper card printed")
    ADDRESS_CORRECTED = N_("an address corrected")
    POSTPONED = N_("close postponed")
    CLOSED = N_("voting closed")
    DAMAGE_FOUND = N_("damage found")
    TALLY_BEGUN = N_("tally begun")
    SHUFFLE_ACCEPTED = N_("shuffle accepted")
    SHUFFLES_ENDED = N_("shuffles ended")
    SHARE_ACCEPTED = N_("share accepted")
    LOT_DRAWN = N_("a lot drawn in public")
    CANDIDATE_WITHDREW = N_("a candidate withdrew before the count")
    SUBMISSION_REFUSED = N_("key-holder's message refused")
    RESULT_COMPUTED = N_("result computed")
    PUBLISHED = N_("result published")
    VOIDED = N_("election void")
    TIDY_SET = N_("date of deletion set")
    TIDY_POSTPONED = N_("deletion postponed")
    TIDIED = N_("members unlinked from credentials")
    RESTORED = N_("restored from a backup")


# What the details of an act are called. In the journal they are in English; a page that shows it looks for them in the catalogue.
DETAILS: Final = (
    N_("act"),
    N_("at"),
    N_("backup of"),
    N_("ballots"),
    N_("ballots replayed from the published archives"),
    N_("cause"),
    N_("choice"),
    N_("closes"),
    N_("commitment"),
    N_("companion"),
    N_("credentials"),
    N_("cut-off"),
    N_("elections"),
    N_("encrypted tally"),
    N_("fingerprint"),
    N_("for"),
    N_("found again"),
    N_("from"),
    N_("half"),
    N_("hash"),
    N_("head"),
    N_("height"),
    N_("included"),
    N_("key-holder"),
    N_("key-holders"),
    N_("keys left"),
    N_("left out"),
    N_("mailing"),
    N_("mails"),
    N_("members unlinked from"),
    N_("message"),
    N_("name"),
    N_("needed"),
    N_("not canonical"),
    N_("number"),
    N_("number so far"),
    N_("object"),
    N_("opens"),
    N_("order"),
    N_("people"),
    N_("question"),
    N_("reason"),
    N_("roll"),
    N_("share"),
    N_("shares"),
    N_("shuffle"),
    N_("split trust"),
    N_("the list of members too"),
    N_("to"),
    N_("two people"),
    N_("why"),
)


@dataclass(frozen=True)
class Actor:
    """Who acts: the random identifier of an officer (or `trustee 2`, `clock`) and the role used."""

    id: str
    role: str


CLOCK = Actor("clock", "service")


def _details(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise MalformedError("journal: details must be an object")
    return value


@dataclass(frozen=True)
class Entry(Message):
    """One act. `time` is UTC; `details` holds figures, reasons and public identifiers."""

    height: int
    time: str
    act: str
    actor: str
    role: str
    details: dict[str, Any]
    parent: str | None = None
    second: str | None = None
    election: str | None = None
    FIELDS: ClassVar[Mapping[str, Codec]] = {
        "parent?": HASH,
        "height": INTEGER,
        "time": TEXT,
        "act": TEXT,
        "actor": TEXT,
        "role": TEXT,
        "second?": TEXT,
        "election?": UUID,
        "details": Codec(_details, lambda value: value),
    }

    @property
    def hash(self) -> str:
        """SHA-256 of the entry's line, in hexadecimal."""
        return sha256_hex(self.to_bytes())


def append(
    session: Session,
    meeting_id: str,
    act: Act,
    actor: Actor,
    now: datetime,
    *,
    second: str | None = None,
    election: str | None = None,
    details: Mapping[str, Any] | None = None,
) -> Entry:
    """The act is on the record once the caller's transaction commits.

    Raises: NotFoundError: no such meeting.
    """
    head = session.exec(select(JournalHead).where(JournalHead.meeting_id == meeting_id).with_for_update()).first()
    if head is None:
        if session.get(Meeting, meeting_id, with_for_update=True) is None:
            raise NotFoundError(phrase("There is no such meeting."))
        head = session.exec(select(JournalHead).where(JournalHead.meeting_id == meeting_id).with_for_update()).first()
    height, parent = (0, None) if head is None else (head.height + 1, head.hash)
    entry = Entry(height, iso(now), str(act), actor.id, actor.role, dict(details or {}), parent, second, election)
    session.add(JournalEntry(meeting_id=meeting_id, height=height, hash=entry.hash, content=entry.to_bytes()))
    if head is None:
        session.add(JournalHead(meeting_id=meeting_id, height=height, hash=entry.hash))
    else:
        head.height, head.hash = height, entry.hash
        session.add(head)
    session.flush()
    return entry


def entries(session: Session, meeting_id: str) -> list[Entry]:
    """All acts of a meeting in order, after checking the chain.

    Raises:
        BoardDamagedError: a stored line is not what the chain says.
    """
    found: list[Entry] = []
    for row in session.exec(select(JournalEntry).where(JournalEntry.meeting_id == meeting_id).order_by(col(JournalEntry.height))):
        parent = found[-1].hash if found else None
        entry = Entry.parse(row.content)
        if sha256_hex(row.content) != row.hash or entry.height != len(found) or entry.parent != parent:
            raise BoardDamagedError(
                phrase("The journal's entry {number} is not what the chain says.", number=len(found)), height=len(found)
            )
        found.append(entry)
    head = session.get(JournalHead, meeting_id)
    if ((head.height, head.hash) if head else None) != ((found[-1].height, found[-1].hash) if found else None):
        raise BoardDamagedError(phrase("The journal's last entry is missing."), height=len(found))
    return found


def text(session: Session, meeting_id: str) -> bytes:
    """The published file: one line of JSON per act. Raises: BoardDamagedError."""
    return b"".join(entry.to_bytes() + b"\n" for entry in entries(session, meeting_id))
