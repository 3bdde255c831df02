"""Letters: what is said, and to whom. Each builder knows one kind of mail, whose words fill `templates/mail/<kind>.txt` and `.html`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ballot.errors import MalformedError
from ballot.services.clock import spoken, spoken_hour


@dataclass(frozen=True)
class Letter:
    """One letter before it is queued. `key` names its purpose: a second letter with the same key is the same letter."""

    kind: str
    key: str
    recipient: str
    subject: str
    words: Mapping[str, Any]
    meeting_id: str | None = None
    handle: str | None = None


@dataclass(frozen=True)
class Asked:
    """One election as an invitation names it."""

    name: str
    fingerprint: str


def invitation(
    *,
    meeting_id: str,
    meeting: str,
    handle: str,
    generation: int,
    name: str,
    address: str,
    link: str,
    code: str | None,
    opens: datetime,
    closes: datetime,
    elections: Sequence[Asked],
    introduction: str = "",
    practice: bool = False,
    reminder: int = 0,
) -> Letter:
    """The member's own link and code. A reissued link (next generation) and each reminder are letters of their own.

    Without a code (split trust) the letter carries the link alone.
    """
    what = f"Reminder: vote at the {meeting}" if reminder else f"Vote at the {meeting}"
    words = {
        "meeting": meeting,
        "name": name,
        "link": link,
        "code": code,
        "opens": opens,
        "closes": closes,
        "elections": list(elections),
        "introduction": introduction,
        "practice": practice,
        "reminder": bool(reminder),
    }
    return Letter(
        "invitation",
        f"invitation/{meeting_id}/{handle}/{generation}/{reminder}",
        address,
        _practice(f"{what}: closes {_short(closes)}", practice=practice),
        words,
        meeting_id,
        handle,
    )


def receipt(
    *,
    meeting_id: str,
    election: str,
    name: str,
    address: str,
    tracker: str,
    cast_at: datetime,
    check_url: str,
    closes: datetime,
    practice: bool = False,
) -> Letter:
    """The receipt code again, by a second way.

    It is the only mail that knows both a member and a ballot. Both stand in its sealed part alone, its row names nobody, and the
    row is deleted when the mail has gone: neither order nor times in the outbox tell later who cast what.
    """
    words = {
        "election": election,
        "name": name,
        "tracker": tracker,
        "cast_at": cast_at,
        "check_url": check_url,
        "closes": closes,
        "practice": practice,
    }
    return Letter(
        "receipt",
        f"receipt/{secrets.token_hex(16)}",
        address,
        _practice(f"Your vote is in the ballot box: {election}, closes {_short(closes)}", practice=practice),
        words,
        meeting_id,
    )


def sign_in(*, name: str, address: str, link: str, code: str, minutes: int) -> Letter:
    """An officer's sign-in link and the same code for typing, good once."""
    words = {"name": name, "link": link, "code": code, "minutes": minutes}
    return Letter("sign-in", f"sign-in/{secrets.token_hex(16)}", address, "Your sign-in link", words)


def trustee_link(
    *,
    meeting_id: str,
    election: str,
    election_uuid: str,
    number: int,
    generation: int,
    name: str,
    address: str,
    link: str,
    closes: datetime,
    task: str,
    practice: bool = False,
) -> Letter:
    """A key-holder's link and what is asked of them now (`task`, a sentence)."""
    words = {"election": election, "name": name, "link": link, "closes": closes, "task": task, "practice": practice}
    return Letter(
        "trustee",
        f"trustee/{election_uuid}/{number}/{generation}/{secrets.token_hex(4)}",
        address,
        _practice(f"You are a key-holder: {election}, closes {_short(closes)}", practice=practice),
        words,
        meeting_id,
    )


def result(
    *,
    meeting_id: str,
    election: str,
    election_uuid: str,
    handle: str,
    name: str,
    address: str,
    closed: datetime,
    verdict: Sequence[str],
    result_url: str,
    fingerprint: str,
    practice: bool = False,
) -> Letter:
    """The verdict in words, and where everything stands."""
    words = {
        "election": election,
        "name": name,
        "closed": closed,
        "verdict": list(verdict),
        "result_url": result_url,
        "fingerprint": fingerprint,
        "practice": practice,
    }
    return Letter(
        "result",
        f"result/{election_uuid}/{handle}",
        address,
        _practice(f"Result: {election}, closed {_short(closed)}", practice=practice),
        words,
        meeting_id,
        handle,
    )


def _practice(subject: str, *, practice: bool) -> str:
    return f"PRACTICE: {subject}" if practice else subject


def _short(moment: datetime) -> str:
    """`Friday 20 March, 5pm`: for subjects, which phones cut short."""
    day = spoken(moment).split(" at ")[0].rsplit(" ", 1)[0]
    return f"{day}, {spoken_hour(moment)}"


def checked_heading(what: str, value: str) -> str:
    """A value that may stand in a mail's heading. Raises: MalformedError if it holds a line break or another control character."""
    if any(ord(character) < 32 or ord(character) == 127 or character in "\u2028\u2029\x85" for character in value):
        raise MalformedError(f"The {what} of a mail holds a line break or another control character: {value[:60]!r}.")
    if not value.strip() or len(value) > 400:
        raise MalformedError(f"The {what} of a mail is empty or longer than 400 characters.")
    return value


def checked_address(value: str) -> str:
    """One plain address, its domain in ASCII form. Raises: MalformedError if it is none."""
    checked_heading("address", value)
    name, at, domain = value.rpartition("@")
    try:
        domain = domain.encode("idna").decode("ascii")
    except UnicodeError:
        domain = ""
    if (
        not at
        or not domain
        or not re.fullmatch(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}", name)
        or not re.fullmatch(r"[A-Za-z0-9.-]{1,253}", domain)
    ):
        raise MalformedError(f"{value[:80]!r} is not an e-mail address that this service can write to.")
    return f"{name}@{domain}"
