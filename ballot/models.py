"""The tables: only storage. What may be done with them is in `ballot.services`.

Where the link between a member and a ballot lives: `Electorate` (handle → public credential) and nowhere else. `Cast` and the
board know credentials, `RollEntry` and the outbox know members. Deleting an election's `Electorate` rows ("tidy") destroys the link.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import JSON, BigInteger, Column, DateTime, Dialect, ForeignKey, Index, LargeBinary, String, Table, UniqueConstraint
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

from ballot.language import N_, TextEnum


class ElectionState(TextEnum):
    """Where an election stands. The moves between them are functions of `ballot.services.lifecycle`."""

    DRAFT = N_("draft")
    LOCKED = N_("locked")
    OPEN = N_("open")
    CLOSED = N_("closed")
    TALLYING = N_("tallying")
    PUBLISHED = N_("published")
    VOID = N_("void")


class UtcDateTime(TypeDecorator[datetime]):
    """A moment with its zone: stored in UTC, read back as UTC. A moment without a zone is a bug."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is stored."""
        del dialect
        if value is None:
            return None
        if value.tzinfo is None:
            raise RuntimeError("a moment without a zone reached the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """What is read back."""
        del dialect
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


class StateText(TypeDecorator[ElectionState]):
    """An election's state, stored as its word."""

    impl = String
    cache_ok = True

    def process_bind_param(self, value: ElectionState | None, dialect: Dialect) -> str | None:
        """What is stored."""
        del dialect
        return None if value is None else str(ElectionState(value))

    def process_result_value(self, value: str | None, dialect: Dialect) -> ElectionState | None:
        """What is read back."""
        del dialect
        return None if value is None else ElectionState(value)


def _time(*, nullable: bool = False) -> Any:
    return Field(default=None, sa_column=Column(UtcDateTime(), nullable=nullable)) if nullable else Field(sa_type=UtcDateTime)


def _json() -> Any:
    return Field(default_factory=dict, sa_type=JSON)


def _json_list() -> Any:
    return Field(default_factory=list, sa_type=JSON)


def _bytes() -> Any:
    return Field(sa_type=LargeBinary)


# --- officers ---------------------------------------------------------------------------------------------------


class Officer(SQLModel, table=True):
    """Someone who may sign in. `roles` are words of the role table in `ballot.web.access`; none means no right at all."""

    id: str = Field(primary_key=True)
    email: str = Field(unique=True)
    name: str
    roles: list[str] = _json_list()
    totp_sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    totp_last_step: int = 0
    recovery_hashes: list[str] = _json_list()
    active: bool = True
    created_at: datetime = _time()


class OfficerSession(SQLModel, table=True):
    """One signed-in browser; logging out deletes the row. `id_hash` is the SHA-256 of the cookie's value."""

    __tablename__ = "officer_session"

    id_hash: str = Field(primary_key=True)
    officer_id: str = Field(foreign_key="officer.id", index=True)
    created_at: datetime = _time()
    expires_at: datetime = _time()
    second_factor_at: datetime | None = _time(nullable=True)


class LoginLink(SQLModel, table=True):
    """A one-time sign-in link that was mailed. `token_hash` is the SHA-256 of its secret."""

    __tablename__ = "login_link"

    token_hash: str = Field(primary_key=True)
    officer_id: str = Field(foreign_key="officer.id", index=True)
    created_at: datetime = _time()
    expires_at: datetime = _time()
    used_at: datetime | None = _time(nullable=True)


class Approval(SQLModel, table=True):
    """An act that needs two people: asked by one, given by another, used once by the act itself."""

    id: str = Field(primary_key=True)
    meeting_id: str = Field(foreign_key="meeting.id", index=True)
    act: str
    subject: str
    reason: str = ""
    asked_by: str
    asked_at: datetime = _time()
    expires_at: datetime = _time()
    given_by: str | None = None
    given_at: datetime | None = _time(nullable=True)
    used_at: datetime | None = _time(nullable=True)


class RateLimit(SQLModel, table=True):
    """A counter shared by all workers: `key` says who and what, `window` which slice of time."""

    __tablename__ = "rate_limit"

    key: str = Field(primary_key=True)
    window: int = Field(primary_key=True)
    count: int


# --- meetings and rolls -----------------------------------------------------------------------------------------


class Meeting(SQLModel, table=True):
    """An AGM or ordinary meeting: the elections on its agenda share one roll, one link and one code per member.

    `practice_of` is the meeting whose ballots this one only rehearses.
    """

    id: str = Field(primary_key=True)
    name: str
    split_trust: bool = False
    two_people: bool = True
    created_at: datetime = _time()
    practice_of: str | None = None
    notice_days: int = Field(default=0, sa_column_kwargs={"server_default": "0"})


class Roll(SQLModel, table=True):
    """A meeting's roll. `salt` keeps the commitment from telling who is on it; `counts` has a figure for each reason.

    `reading` says which column of its file was what, for the next list of the same organisation.
    """

    meeting_id: str = Field(primary_key=True, foreign_key="meeting.id")
    file_hash: str
    cut_off: str
    salt: bytes = _bytes()
    loaded_at: datetime = _time()
    frozen_at: datetime | None = _time(nullable=True)
    included: int = 0
    counts: dict[str, int] = _json()
    commitment: str = ""
    name: str = Field(default="", sa_column_kwargs={"server_default": ""})
    reading: dict[str, Any] = Field(default_factory=dict, sa_type=JSON, sa_column_kwargs={"server_default": "{}"})


class RollUpload(SQLModel, table=True):
    """A list of members that one officer has uploaded and not saved yet, both parts sealed; deleted when they leave, or after a day."""

    __tablename__ = "roll_upload"
    __table_args__ = (UniqueConstraint("meeting_id", "officer_id"),)

    id: str = Field(primary_key=True)
    meeting_id: str = Field(foreign_key="meeting.id")
    officer_id: str
    uploaded_at: datetime = _time()
    version: int = 0
    sealed_file: bytes = _bytes()
    sealed_work: bytes = _bytes()


class RollEntry(SQLModel, table=True):
    """One line of a roll. `handle` is random and means nothing outside; `generation` counts reissues of the link.

    `reason` is empty for a member who can vote. Left-out lines are kept only until the roll is frozen. `cards` counts the paper cards
    made; `card_link_by` and `card_code_by` are the two officers who have still to print their half of the newest. `frozen_key` is what
    `email_key` was when the roll was frozen, once the address was corrected since: the published fingerprint is of it.
    """

    __tablename__ = "roll_entry"
    __table_args__ = (Index("ix_roll_entry_meeting_email", "meeting_id", "email_key"),)

    handle: str = Field(primary_key=True)
    meeting_id: str = Field(foreign_key="meeting.id", index=True)
    row: int
    number: str
    name: str
    email: str
    email_key: str
    frozen_key: str = Field(default="", sa_column_kwargs={"server_default": ""})
    sections: list[str] = _json_list()
    reason: str = ""
    detail: str = ""
    generation: int = 0
    typed_code: bool = True
    withdrawn: bool = False
    cards: int = Field(default=0, sa_column_kwargs={"server_default": "0"})
    card_link_by: str = Field(default="", sa_column_kwargs={"server_default": ""})
    card_code_by: str = Field(default="", sa_column_kwargs={"server_default": ""})


class Electorate(SQLModel, table=True):
    """Which member signs with which public credential in one election: the only link between the two, deleted at tidy."""

    __table_args__ = (UniqueConstraint("election_uuid", "credential"),)

    election_uuid: str = Field(primary_key=True, foreign_key="election.uuid")
    handle: str = Field(primary_key=True)
    credential: str


# --- elections --------------------------------------------------------------------------------------------------


class Election(SQLModel, table=True):
    """One election. `config` is the draft as `ballot.services.lifecycle.ElectionDraft` writes it; after the lock the board rules.

    `acts` are lots and withdrawals before the count (`ballot.recount.Acts`). `copy_of` is the election it was copied from, as a
    practice or in place of one that is void. From `tidy_at` on the link between members and credentials is deleted.
    """

    uuid: str = Field(primary_key=True)
    meeting_id: str = Field(foreign_key="meeting.id", index=True)
    state: ElectionState = Field(default=ElectionState.DRAFT, sa_type=StateText)
    name: str
    config: dict[str, Any] = _json()
    acts: dict[str, Any] = _json()
    practice: bool = False
    replace: bool = False
    fingerprint: str = ""
    created_at: datetime = _time()
    opens_at: datetime = _time()
    closes_at: datetime = _time()
    closed_at: datetime | None = _time(nullable=True)
    published_at: datetime | None = _time(nullable=True)
    tidied_at: datetime | None = _time(nullable=True)
    void_reason: str = ""
    copy_of: str | None = None
    tidy_at: datetime | None = _time(nullable=True)


class Trustee(SQLModel, table=True):
    """One key-holder of one election. `number` is the owner index 1..m of the archive; messages are the v1 texts as received."""

    election_uuid: str = Field(primary_key=True, foreign_key="election.uuid")
    number: int = Field(primary_key=True)
    name: str
    email: str
    generation: int = 0
    key: bytes | None = Field(default=None, sa_type=LargeBinary)
    cert: bytes | None = Field(default=None, sa_type=LargeBinary)
    polynomial: bytes | None = Field(default=None, sa_type=LargeBinary)
    voutput: bytes | None = Field(default=None, sa_type=LargeBinary)
    possession_at: datetime | None = _time(nullable=True)
    lost_at: datetime | None = _time(nullable=True)


# --- the bulletin board -----------------------------------------------------------------------------------------


class BoardHead(SQLModel, table=True):
    """The end of an election's chain, and the row that is locked while something is appended. `size` is the archive's length in bytes."""

    __tablename__ = "board_head"

    election_uuid: str = Field(primary_key=True, foreign_key="election.uuid")
    height: int
    hash: str
    size: int = Field(sa_type=BigInteger)
    timestamp: int = Field(sa_type=BigInteger)


class PublishedHead(SQLModel, table=True):
    """The event up to which every row was compared with the chain: what checkpoints show (`ballot.services.sweep`)."""

    __tablename__ = "published_head"

    election_uuid: str = Field(primary_key=True, foreign_key="election.uuid")
    height: int
    hash: str
    swept_at: datetime = _time()


class BoardEvent(SQLModel, table=True):
    """One event of the archive, append-only. `content` is exactly what the archive holds; `hash` its SHA-256 in hexadecimal."""

    __tablename__ = "event"

    election_uuid: str = Field(primary_key=True, foreign_key="election.uuid")
    height: int = Field(primary_key=True)
    type: str
    hash: str
    payload: str | None = None
    content: bytes = _bytes()


class BoardObject(SQLModel, table=True):
    """One datum of the archive, append-only, placed before the event at `height`, `position`-th of its data."""

    __tablename__ = "object"
    __table_args__ = (UniqueConstraint("election_uuid", "height", "position"),)

    election_uuid: str = Field(primary_key=True, foreign_key="election.uuid")
    hash: str = Field(primary_key=True)
    height: int
    position: int
    content: bytes = _bytes()


class Companion(SQLModel, table=True):
    """The companion decryption proofs of one trustee, published beside the archive."""

    election_uuid: str = Field(primary_key=True, foreign_key="election.uuid")
    owner: int = Field(primary_key=True)
    content: bytes = _bytes()


class Cast(SQLModel, table=True):
    """One accepted ballot: what its receipt is made of. Single use means `ordinal` 0 only; replacing counts up."""

    __table_args__ = (UniqueConstraint("election_uuid", "credential", "ordinal"), UniqueConstraint("election_uuid", "height"))

    election_uuid: str = Field(primary_key=True, foreign_key="election.uuid")
    ballot_hash: str = Field(primary_key=True)
    credential: str
    ordinal: int
    height: int
    head: str
    cast_at: datetime = _time()


# --- journal ----------------------------------------------------------------------------------------------------


class JournalHead(SQLModel, table=True):
    """The end of a meeting's journal, locked while an entry is appended."""

    __tablename__ = "journal_head"

    meeting_id: str = Field(primary_key=True, foreign_key="meeting.id")
    height: int
    hash: str


class JournalEntry(SQLModel, table=True):
    """One act of an officer, chained to the one before. `content` is the published text; no personal data."""

    __tablename__ = "journal"

    meeting_id: str = Field(primary_key=True, foreign_key="meeting.id")
    height: int = Field(primary_key=True)
    hash: str
    content: bytes = _bytes()


# --- long work ------------------------------------------------------------------------------------------------------


class Job(SQLModel, table=True):
    """A long piece of work that an officer asked for (`ballot.services.jobs`): who, what, how far it is, how it ended.

    `active` is the election's uuid until the work has ended, so that one election has one piece of work at a time; `runner` is who
    is at it, and `beat_at` when that runner was last heard of.
    """

    id: str = Field(primary_key=True)
    election_uuid: str = Field(foreign_key="election.uuid", index=True)
    kind: str
    active: str | None = Field(default=None, unique=True)
    actor: str
    role: str
    approval: str | None = None
    state: str
    runner: str = ""
    runs: int = 0
    words: str = ""
    done: int = 0
    total: int = 0
    error: str = ""
    asked_at: datetime = _time()
    beat_at: datetime | None = _time(nullable=True)
    ended_at: datetime | None = _time(nullable=True)


class Submission(SQLModel, table=True):
    """What a key-holder sent, kept until a job has checked it; it then stands on the board, or is refused and gone."""

    job_id: str = Field(primary_key=True, foreign_key="job.id")
    owner: int
    digest: str
    data: bytes = _bytes()
    companion: bytes = _bytes()


# --- outgoing mail ----------------------------------------------------------------------------------------------


class Outbox(SQLModel, table=True):
    """One mail to one person. `sealed` holds address, subject and text; it is wiped when the mail server has accepted the mail.

    `claimed_by` is the sender at work on it; `handed_over` is set before the text leaves, so that a crash after it is "unknown".
    `mailing_id` is the `Mailing` it belongs to, if any. Of one that did not arrive, `status` is the code of RFC 3463 where there was
    one, and `bounce` is "hard", "soft", or "delayed" for one that is still being tried elsewhere.
    """

    __table_args__ = (
        Index("ix_outbox_state_due", "state", "due_at"),
        Index("ix_outbox_mailing_state", "mailing_id", "state"),
        Index("ix_outbox_handle", "handle"),
        Index("ix_outbox_meeting_kind_state", "meeting_id", "kind", "state"),
    )

    id: str = Field(primary_key=True)
    meeting_id: str | None = Field(default=None, sa_column=Column(String, ForeignKey("meeting.id"), nullable=True, index=True))
    kind: str
    key: str = Field(unique=True)
    handle: str | None = None
    sealed: bytes | None = Field(default=None, sa_type=LargeBinary)
    state: str
    attempts: int = 0
    detail: str = ""
    message_id: str
    due_at: datetime = _time()
    claimed_at: datetime | None = _time(nullable=True)
    claimed_by: str = ""
    handed_over: bool = False
    done_at: datetime | None = _time(nullable=True)
    queued_at: datetime | None = _time(nullable=True)
    mailing_id: str | None = None
    status: str = ""
    bounce: str = ""


class MailText(SQLModel, table=True):
    """What an officer wrote for a meeting's invitation, reminder or result mail; an empty subject means the usual one."""

    __tablename__ = "mail_text"

    meeting_id: str = Field(primary_key=True, foreign_key="meeting.id")
    kind: str = Field(primary_key=True)
    subject: str = ""
    introduction: str = ""
    changed_at: datetime = _time()


class Mailing(SQLModel, table=True):
    """One letter to many members, queued a batch at a time. `key` names its purpose, so that it is begun once.

    `stage` is "first" (only the handles in `first`), "all" (members in the order of their handles; `cursor` is the last one looked
    at) or "done". `words` are what every copy says alike. The two `seen` figures tell how many had left, and how many of these in
    vain, when the last batch was queued.
    """

    id: str = Field(primary_key=True)
    meeting_id: str = Field(foreign_key="meeting.id", index=True)
    key: str = Field(unique=True)
    kind: str
    number: int = 0
    words: dict[str, Any] = _json()
    begun_at: datetime = _time()
    begun_by: str
    begun_role: str
    stage: str
    first: list[str] = _json_list()
    cursor: str = ""
    expected: int = 0
    queued: int = 0
    paused_at: datetime | None = _time(nullable=True)
    paused_why: str = ""
    seen_settled: int = 0
    seen_failed: int = 0


class MailSender(SQLModel, table=True):
    """A sender that was at work: when it was last seen, and what kept it from sending then, if anything."""

    __tablename__ = "mail_sender"

    name: str = Field(primary_key=True)
    seen_at: datetime = _time()
    trouble: str = ""


class CaughtMail(SQLModel, table=True):
    """Development only, without a mail server: a mail as it would have left, for the catcher page."""

    __tablename__ = "caught_mail"

    message_id: str = Field(primary_key=True)
    caught_at: datetime = _time()
    content: bytes = _bytes()


def table(model: type[SQLModel]) -> Table:
    """The plain table behind a model, for statements that need no objects."""
    return SQLModel.metadata.tables[str(model.__tablename__)]
