"""What things are called on the screen. Templates use these as filters, so that one thing has one name everywhere."""

from __future__ import annotations

import re
from datetime import date, datetime
from typing import Any

from flask import Flask
from markupsafe import Markup

from ballot.language import N_, Text, listing, phrase, shown
from ballot.models import Election, ElectionState
from ballot.services import tally
from ballot.services.clock import LONDON, spoken, spoken_day, spoken_hour
from ballot.services.mail import State as MailState
from ballot.services.mail.letters import unbroken
from ballot.web.turnout import when as when_of_days

STATE = {
    ElectionState.DRAFT: (phrase("Being prepared"), "none"),
    ElectionState.LOCKED: (phrase("Locked, not open yet"), "wait"),
    ElectionState.OPEN: (phrase("Open"), ""),
    ElectionState.CLOSED: (phrase("Closed"), "wait"),
    ElectionState.TALLYING: (phrase("Being counted"), "wait"),
    ElectionState.PUBLISHED: (phrase("Result published"), ""),
    ElectionState.VOID: (phrase("Void"), "bad"),
}

MAIL = {
    MailState.WAITING: phrase("Waiting"),
    MailState.SENDING: phrase("Sending"),
    MailState.ACCEPTED: phrase("Accepted by mail server"),
    MailState.BOUNCED: phrase("Bounced"),
    MailState.FAILED: phrase("Failed"),
    MailState.UNKNOWN: phrase("Unknown"),
}

SECTION = {"region": phrase("sub-region"), "constituency": phrase("constituency"), "group": phrase("group")}

STAGE = {
    "key": phrase("has to make a key"),
    "cert": phrase("has to make a key (step 1 of 3)"),
    "polynomial": phrase("has to go on with the key (step 2 of 3)"),
    "voutput": phrase("has to finish the key (step 3 of 3)"),
    "possession": phrase("has to prove that the key is safe"),
    "waiting": phrase("has done their part and waits for the others"),
    "ready": phrase("has a key and has proved it"),
}

ROLE = {
    "returning-officer": phrase("Returning officer"),
    "deputy": phrase("Deputy returning officer"),
    "membership-secretary": phrase("Membership secretary"),
    "observer": phrase("Observer"),
}

NEED = {
    "lock": phrase("Lock the ballot"),
    "open": phrase("Open voting"),
    "close early": phrase("Close voting early"),
    "void": phrase("Declare the ballot void"),
    "close later": phrase("Close voting later"),
    "publish": phrase("Publish the result"),
    "reissue": phrase("Send a member a new link"),
    "withdraw": phrase("Cancel a member’s link"),
    "paper card": phrase("Make a paper card for a member"),
}


def on_day(moment: datetime) -> str:
    """“on Friday 20 March 2026”: the day of a moment in UK time."""
    return phrase("on {day}", day=spoken_day(moment.astimezone(LONDON)))


def said(text: object) -> str:
    """In the reader's language, at once; a word that was stored is looked for in the catalogue."""
    return shown(Text(text) if type(text) is str else text)


def job_words(words: str) -> str:
    """What a job is doing: its words were stored, in English."""
    return said(next((text for text in tally.VERIFYING.values() if text == words), words))


def capfirst(text: object) -> str:
    """The first letter large, the rest as it is."""
    words = said(text)
    return words[:1].upper() + words[1:]


def lowerfirst(text: object) -> str:
    """The first letter small, the rest as it is."""
    words = said(text)
    return words[:1].lower() + words[1:]


def section(word: str) -> str:
    """“Durham (constituency)” for `constituency:Durham`; everyone for nothing."""
    if not word:
        return phrase("All full members")
    kind, _, name = word.partition(":")
    return phrase("{name} ({kind})", name=name, kind=SECTION.get(kind, kind))


def tag(state: ElectionState | str) -> Markup:
    """The state in a small frame; its colour only repeats what the words say."""
    words, look = STATE[ElectionState(state)]
    return Markup('<span class="tag {}">{}</span>').format(look, words)


def when(election: Election) -> str:
    """The one date that matters in the election's state."""
    match ElectionState(election.state):
        case ElectionState.DRAFT | ElectionState.LOCKED:
            return phrase("Opens {when}", when=spoken(election.opens_at))
        case ElectionState.OPEN:
            return phrase("Closes {when}", when=spoken(election.closes_at))
        case ElectionState.PUBLISHED:
            return phrase("Published {when}", when=spoken(election.published_at or election.closes_at))
        case ElectionState.VOID:
            return election.void_reason
        case _:
            return phrase("Closed {when}", when=spoken(election.closed_at or election.closes_at))


_MOMENT = re.compile(r"\d{4}-\d\d-\d\d(T[\d:.]+(Z|\+00:00))?")  # as the journal writes a day or an hour


def journal_value(value: Any) -> str:
    """A detail of a journal entry as words."""
    if isinstance(value, dict):
        return ", ".join(f"{said(key)} {journal_value(item)}" for key, item in value.items()) or shown(phrase("none"))
    if isinstance(value, list):
        return ", ".join(map(journal_value, value))
    if isinstance(value, bool):
        return said({True: N_("yes"), False: N_("no")}[value])
    if _MOMENT.fullmatch(text := str(value)):
        return shown(spoken(datetime.fromisoformat(text)) if "T" in text else spoken_day(date.fromisoformat(text)))
    return text


def install(app: Flask) -> None:
    filters: dict[str, Any] = {
        "spoken": spoken,
        "spoken_hour": spoken_hour,
        "spoken_iso": lambda text: spoken(datetime.fromisoformat(text)),
        "journal_value": journal_value,
        "spoken_day": lambda text: spoken_day(date.fromisoformat(text)),
        "on_day": on_day,
        "span_of_days": when_of_days,
        "capfirst": capfirst,
        "said": said,
        "job_words": job_words,
        "listing": listing,
        "section_name": section,
        "state_tag": tag,
        "state_name": lambda state: said(STATE[ElectionState(state)][0]),
        "when": when,
        "mail_state": lambda state: MAIL[MailState(state)],
        "stage_name": lambda word: STAGE.get(str(word), str(word)),
        "lowerfirst": lowerfirst,
        "role_name": lambda word: ROLE.get(word, word),
        "need_name": lambda word: NEED.get(word, word),
        "thousands": lambda number: f"{number:,}",
        "unbroken": unbroken,
    }
    app.jinja_env.filters.update(filters)
