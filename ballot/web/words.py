"""What things are called on the screen. Templates use these as filters, so that one thing has one name everywhere."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from flask import Flask
from markupsafe import Markup

from ballot.models import Election, ElectionState
from ballot.services.clock import LONDON, spoken, spoken_hour
from ballot.services.mail import State as MailState
from ballot.services.mail.letters import unbroken
from ballot.web.turnout import when as when_of_days

STATE = {
    ElectionState.DRAFT: ("Being prepared", "none"),
    ElectionState.LOCKED: ("Locked, not open yet", "wait"),
    ElectionState.OPEN: ("Open", ""),
    ElectionState.CLOSED: ("Closed", "wait"),
    ElectionState.TALLYING: ("Being counted", "wait"),
    ElectionState.PUBLISHED: ("Result published", ""),
    ElectionState.VOID: ("Void", "bad"),
}

MAIL = {
    MailState.WAITING: "Waiting",
    MailState.SENDING: "Sending",
    MailState.ACCEPTED: "Accepted by mail server",
    MailState.BOUNCED: "Bounced",
    MailState.FAILED: "Failed",
    MailState.UNKNOWN: "Unknown",
}

SECTION = {"region": "sub-region", "constituency": "constituency", "group": "group"}

STAGE = {
    "key": "has to make a key",
    "cert": "has to make a key (step 1 of 3)",
    "polynomial": "has to go on with the key (step 2 of 3)",
    "voutput": "has to finish the key (step 3 of 3)",
    "possession": "has to prove that the key is safe",
    "waiting": "has done their part and waits for the others",
    "ready": "has a key and has proved it",
}

ROLE = {
    "returning-officer": "Returning officer",
    "deputy": "Deputy returning officer",
    "membership-secretary": "Membership secretary",
    "observer": "Observer",
}

NEED = {
    "lock": "Lock the ballot",
    "open": "Open voting",
    "close early": "Close voting early",
    "void": "Declare the ballot void",
    "close later": "Close voting later",
    "publish": "Publish the result",
    "reissue": "Send a member a new link",
    "withdraw": "Cancel a member’s link",
    "paper card": "Make a paper card for a member",
}


def on_day(moment: datetime) -> str:
    """“on Friday 20 March 2026”: the day of a moment in UK time."""
    day = moment.astimezone(LONDON)
    return f"on {day:%A} {day.day} {day:%B %Y}"


def capfirst(text: object) -> str:
    """The first letter large, the rest as it is."""
    words = str(text)
    return words[:1].upper() + words[1:]


def section(word: str) -> str:
    """“Durham (constituency)” for `constituency:Durham`; everyone for nothing."""
    if not word:
        return "All full members"
    kind, _, name = word.partition(":")
    return f"{name} ({SECTION.get(kind, kind)})"


def tag(state: ElectionState | str) -> Markup:
    """The state in a small frame; its colour only repeats what the words say."""
    words, look = STATE[ElectionState(state)]
    return Markup('<span class="tag {}">{}</span>').format(look, words)


def when(election: Election) -> str:
    """The one date that matters in the election's state."""
    match ElectionState(election.state):
        case ElectionState.DRAFT | ElectionState.LOCKED:
            return f"Opens {spoken(election.opens_at)}"
        case ElectionState.OPEN:
            return f"Closes {spoken(election.closes_at)}"
        case ElectionState.PUBLISHED:
            return f"Published {spoken(election.published_at or election.closes_at)}"
        case ElectionState.VOID:
            return election.void_reason
        case _:
            return f"Closed {spoken(election.closed_at or election.closes_at)}"


def count_of(number: int, one: str, many: str = "") -> str:
    """“1 ballot”, “2 ballots”, with commas in large numbers."""
    return f"{number:,} {one if number == 1 else many or one + 's'}"


def journal_value(value: Any) -> str:
    """A detail of a journal entry as words."""
    if isinstance(value, dict):
        return ", ".join(f"{key} {journal_value(item)}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return ", ".join(map(journal_value, value))
    return {True: "yes", False: "no"}[value] if isinstance(value, bool) else str(value)


def install(app: Flask) -> None:
    filters: dict[str, Any] = {
        "spoken": spoken,
        "spoken_hour": spoken_hour,
        "spoken_iso": lambda text: spoken(datetime.fromisoformat(text)),
        "journal_value": journal_value,
        "spoken_day": lambda text: f"{(d := date.fromisoformat(text)):%A} {d.day} {d:%B %Y}",
        "on_day": on_day,
        "span_of_days": when_of_days,
        "capfirst": capfirst,
        "section_name": section,
        "state_tag": tag,
        "state_name": lambda state: STATE[ElectionState(state)][0],
        "when": when,
        "mail_state": lambda state: MAIL[MailState(state)],
        "stage_name": lambda word: STAGE.get(str(word), str(word)),
        "lowerfirst": lambda text: text[:1].lower() + text[1:],
        "role_name": lambda word: ROLE.get(word, word),
        "need_name": lambda word: NEED.get(word, word),
        "count_of": count_of,
        "thousands": lambda number: f"{number:,}",
        "unbroken": unbroken,
    }
    app.jinja_env.filters.update(filters)
