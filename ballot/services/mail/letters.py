"""Letters: what is said, and to whom. Each builder knows one kind of mail, whose words fill `templates/mail/<kind>.txt` and `.html`."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ballot.errors import MalformedError
from ballot.language import phrase, shown
from ballot.services.clock import LONDON, MONTHS, WEEKDAYS, spoken_hour


@dataclass(frozen=True)
class Letter:
    """One letter before it is queued. `key` names its purpose: a second letter with the same key is the same letter.

    `template` is the kind whose words it has, where that is another one; `mailing_id` the mailing it belongs to, if any.
    """

    kind: str
    key: str
    recipient: str
    subject: str
    words: Mapping[str, Any]
    meeting_id: str | None = None
    handle: str | None = None
    template: str = ""
    mailing_id: str | None = None


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
    subject: str = "",
    practice: bool = False,
    reminder: int = 0,
) -> Letter:
    """The member's own link and code. A reissued link (next generation) and each reminder are letters of their own.

    Without a code (split trust) the letter carries the link alone. An own `subject` takes the place of the usual one; the close
    follows in any case.
    """
    what = subject or usual_subject("reminder" if reminder else "invitation", meeting)
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
        _practice(phrase("{what}: closes {when}", what=what, when=_short(closes)), practice=practice),
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
        _practice(
            phrase("Your vote is in the ballot box: {ballot}, closes {when}", ballot=election, when=_short(closes)), practice=practice
        ),
        words,
        meeting_id,
    )


def roll_answer(
    *,
    meeting_id: str,
    meeting: str,
    name: str,
    address: str,
    on_the_list: bool,
    reason: str,
    ballots: Sequence[str],
    final: bool,
    over: bool = False,
    practice: bool = False,
) -> Letter:
    """Whether an address is on a meeting's list; without a name it is a stranger's. Its row names nobody, and goes when the mail has."""
    words = {
        "meeting": meeting,
        # Translators: stands in the place of a name, as in "Hello there,".
        "name": name or phrase("there"),
        "known": bool(name),
        "on_the_list": on_the_list,
        "reason": reason,
        "ballots": list(ballots),
        "final": final,
        "over": over,
        "practice": practice,
    }
    subject = _practice(phrase("The list of members for the {meeting}", meeting=meeting), practice=practice)
    return Letter("roll-answer", f"roll-answer/{secrets.token_hex(16)}", address, subject, words, meeting_id)


def sign_in(*, name: str, address: str, link: str, code: str, minutes: int) -> Letter:
    """An officer's sign-in link and the same code for typing, good once."""
    words = {"name": name, "link": link, "code": code, "minutes": minutes}
    return Letter("sign-in", f"sign-in/{secrets.token_hex(16)}", address, phrase("Your sign-in link"), words)


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
        _practice(phrase("You are a key-holder: {ballot}, closes {when}", ballot=election, when=_short(closes)), practice=practice),
        words,
        meeting_id,
    )


@dataclass(frozen=True)
class Decided:
    """One election's outcome as the result mail tells it: the verdicts first, then where all figures are."""

    name: str
    closed: str
    verdict: tuple[str, ...]
    result_url: str
    check_url: str
    fingerprint: str
    practice: bool = False


def result(
    *,
    meeting_id: str,
    meeting: str,
    number: int,
    handle: str,
    name: str,
    address: str,
    results: Sequence[Decided],
    introduction: str = "",
    subject: str = "",
) -> Letter:
    """The results that were published since the mail before, each with its verdict first. `number` tells this mail from others."""
    practice = all(one.practice for one in results)
    words = {
        "meeting": meeting,
        "name": name,
        "results": list(results),
        "introduction": introduction,
        "practice": practice,
    }
    return Letter(
        "result",
        f"result/{meeting_id}/{number}/{handle}",
        address,
        _practice(subject or usual_subject("result", meeting), practice=practice),
        words,
        meeting_id,
        handle,
    )


def second_person(
    *,
    meeting_id: str,
    approval: str,
    officer: str,
    name: str,
    address: str,
    asked_by: str,
    act: str,
    about: str,
    meeting: str,
    link: str,
) -> Letter:
    """Another officer is asked to agree to an act that needs two people. The link is a page behind the sign-in, and no secret."""
    words = {"name": name, "asked_by": asked_by, "act": act, "about": about, "meeting": meeting, "link": link}
    return Letter(
        "second",
        f"second/{approval}/{officer}",
        address,
        phrase("A second person is needed: {act}, {meeting}", act=act, meeting=meeting),
        words,
        meeting_id,
    )


def test_of(letter: Letter, address: str) -> Letter:
    """The same words as a test to an officer: marked in the heading and on top, and counted as nobody's letter."""
    words = {**letter.words, "test": True}
    return Letter(
        "test", f"test/{secrets.token_hex(16)}", address, phrase("TEST: {subject}", subject=letter.subject), words, template=letter.kind
    )


def usual_subject(kind: str, meeting: str) -> str:
    """How the subject begins where the officer wrote no other."""
    match kind:
        case "reminder":
            return phrase("Reminder: vote at the {meeting}", meeting=meeting)
        case "result":
            return phrase("Results: {meeting}", meeting=meeting)
        case _:
            return phrase("Vote at the {meeting}", meeting=meeting)


def unbroken(text: object) -> str:
    """A text in which no line ends between a figure and its per cent sign."""
    return shown(text).replace(" %", "\N{NO-BREAK SPACE}%")


def _practice(subject: str, *, practice: bool) -> str:
    return phrase("PRACTICE: {subject}", subject=subject) if practice else subject


def _short(moment: datetime) -> str:
    """`Friday 20 March, 5pm`: for subjects, which phones cut short."""
    local = moment.astimezone(LONDON)
    names = {"weekday": WEEKDAYS[local.weekday()], "day": local.day, "month": MONTHS[local.month - 1]}
    return phrase("{weekday} {day} {month}, {hour}", **names, hour=spoken_hour(moment))


def checked_heading(what: str, value: str) -> str:
    """A value that may stand in a mail's heading. Raises: MalformedError if it holds a line break or another control character."""
    if any(ord(character) < 32 or ord(character) == 127 or character in "\u2028\u2029\x85" for character in value):
        raise MalformedError(
            phrase("The {what} of a mail holds a line break or another control character: {value!r}.", what=what, value=value[:60])
        )
    if not value.strip() or len(value) > 400:
        raise MalformedError(phrase("The {what} of a mail is empty or longer than 400 characters.", what=what))
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
        raise MalformedError(phrase("{value!r} is not an e-mail address that this service can write to.", value=value[:80]))
    return f"{name}@{domain}"


# --- what officers write themselves -------------------------------------------------------------------------------

LONGEST_INTRODUCTION, LONGEST_SUBJECT = 3000, 100
_ADDRESS = re.compile(r"(?:https?://|www\.)[^\s<>\"]+", re.IGNORECASE)
_CODE = re.compile(r"\b[1-9A-HJ-NP-Za-km-z]{5}-[1-9A-HJ-NP-Za-km-z]{6}-[1-9A-HJ-NP-Za-km-z]{5}-[1-9A-HJ-NP-Za-km-z]{6}\b")


def checked_introduction(words: str, public_url: str) -> str:
    """An officer's own words with plain line ends, fit to stand in every member's mail.

    Links to an agenda or a statement are welcome. A link that could be taken for the voting link is not, since members should
    learn to trust one link alone.

    Raises: MalformedError, with what to change.
    """
    plain = words.replace("\r\n", "\n").replace("\r", "\n").strip()
    if len(plain) > LONGEST_INTRODUCTION:
        raise MalformedError(
            phrase(
                "Your words are {length:,} characters long. Make them {longest:,} or fewer.",
                length=len(plain),
                longest=LONGEST_INTRODUCTION,
            )
        )
    if any((ord(c) < 32 and c != "\n") or ord(c) == 127 or c in "\u2028\u2029\x85" for c in plain):
        raise MalformedError(phrase("Your words hold a tab or an invisible character. Type them again, or paste them as plain text."))
    if _CODE.search(plain):
        raise MalformedError(phrase("Take out the voting code. Each member’s own code is added below your words."))
    for found in _ADDRESS.findall(plain):
        address = found.rstrip(".,;:!?)’”'")
        if _looks_like_voting(address, public_url):
            raise MalformedError(
                phrase(
                    "Take out the link {address}. It looks like a voting link, and members should find only one: their own.",
                    address=address[:80],
                )
            )
    return plain


def _looks_like_voting(address: str, public_url: str) -> bool:
    lower = address.casefold()
    ours = public_url.casefold().split("://", 1)[-1]
    rest = lower.split("://", 1)[-1]
    if rest == ours or rest.startswith(f"{ours}/"):
        return not rest.removeprefix(ours).startswith(("/e/", "/m/", "/how"))  # our own public pages are no voting link
    return "#" in lower or re.search(r"\bvot(e|ing)|ballot", lower) is not None


def checked_subject(words: str) -> str:
    """An officer's own subject, or nothing. Raises: MalformedError, with what to change."""
    if not words.strip():
        return ""
    plain = checked_heading("subject", words.strip())
    if len(plain) > LONGEST_SUBJECT:
        raise MalformedError(phrase("Make the subject {longest} characters or fewer: phones cut long ones short.", longest=LONGEST_SUBJECT))
    if _ADDRESS.search(plain) or _CODE.search(plain):
        raise MalformedError(phrase("Take the link or code out of the subject."))
    if plain.casefold().startswith(("test", "practice")):
        raise MalformedError(phrase("The subject cannot begin with TEST or PRACTICE: these words mark other e-mails."))
    return plain
