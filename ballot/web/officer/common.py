"""What all officers' pages share: the actor for the journal, and the second factor asked again before an act."""

from __future__ import annotations

from flask import g
from sqlmodel import Session

from ballot.errors import NotFoundError, SignInFailedError, TooManyTriesError
from ballot.language import phrase
from ballot.models import Election, Job, Meeting
from ballot.services import jobs, officers
from ballot.services.journal import Actor
from ballot.web import site
from ballot.web.access import CONDUCT, KEEP_ROLL, Role
from ballot.web.forms import Form, line


class CodeForm(Form):
    """An act that asks for the six digits again."""

    code = line(
        phrase("6-digit code"),
        hint=phrase("From your authenticator app, to show that it is you."),
        missing=phrase("Type the 6 digits that your app shows now"),
        longest=40,
    )


def may(roles: frozenset[Role]) -> bool:
    """Whether the signed-in officer has one of these roles."""
    return bool({Role(word) for word in g.officer.roles} & roles)


def rights() -> dict[str, bool]:
    """What the templates ask before they draw a button. The button's own view checks again."""
    return {"may_conduct": may(CONDUCT), "may_keep": may(KEEP_ROLL)}


def actor() -> Actor:
    """Who the journal says it was: the officer's random name, and the role under which this view is open to them."""
    return Actor(g.officer.id, g.role.value)


def code_is_right(form: Form) -> bool:
    """Whether the six digits hold; they are spent by this. If not, the form says why."""
    try:
        officers.check_code(site().database, site().keys, g.officer.id, code=form["code"].data, now=site().clock.now())
    except (SignInFailedError, TooManyTriesError) as error:
        form.put_error("code", str(error))
        return False
    return True


def meeting_of(db: Session, meeting_id: str) -> Meeting:
    """Raises: NotFoundError."""
    meeting = db.get(Meeting, meeting_id)
    if meeting is None:
        raise NotFoundError(phrase("There is no such meeting."))
    return meeting


def election_of(db: Session, uuid: str) -> Election:
    """Raises: NotFoundError."""
    election = db.get(Election, uuid)
    if election is None:
        raise NotFoundError(phrase("There is no such ballot."))
    return election


def work_on(db: Session, election: Election) -> Job | None:
    """The long work on this ballot: what goes on, or what failed and was not got over since."""
    job = jobs.newest(db, election.uuid)
    return job if job is not None and jobs.is_news(job, election) else None
