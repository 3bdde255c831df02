"""After the end: the date on which members are unlinked from their votes, and a void ballot asked again from a copy."""

from __future__ import annotations

from datetime import datetime, time, timedelta

from flask import redirect, render_template, request
from sqlmodel import Session
from werkzeug.wrappers import Response as AnyResponse

from ballot.errors import BallotError, PreconditionError
from ballot.language import phrase
from ballot.models import Election, ElectionState
from ballot.services import lifecycle, tidy
from ballot.services.clock import LONDON
from ballot.web import site
from ballot.web.access import CONDUCT, open_to
from ballot.web.forms import day, text
from ballot.web.officer import bp
from ballot.web.officer.common import CodeForm, actor, code_is_right, election_of, rights


class TidyDateForm(CodeForm):
    on = day(phrase("Delete on"), missing=phrase("Give the day on which it is deleted"))
    reason = text(phrase("Reason"), hint=phrase("Needed to put off a date that is public already. Members will read it."), longest=1000)


def _page(db: Session, uuid: str, form: TidyDateForm, warnings: list[str]) -> str:
    election = election_of(db, uuid)
    return render_template(
        "officer/tidy-date.html",
        election=election,
        form=form,
        warnings=warnings,
        last=tidy.is_last(db, election, site().clock.now()),
        possible=_possible(election),
        **rights(),
    )


def _possible(election: Election) -> bool:
    ended = election.state in {ElectionState.PUBLISHED, ElectionState.VOID}
    return election.tidied_at is None and (ended or election.state is ElectionState.TALLYING)


@bp.get("/e/<base58:uuid>/tidy-date")
@open_to(*CONDUCT)
def tidy_date(uuid: str) -> str:
    with site().database.read() as db:
        election = election_of(db, uuid)
        moment = election.tidy_at or lifecycle.kept_until(election, site().clock.now())
        return _page(db, uuid, TidyDateForm(formdata=None, data={"on": moment.astimezone(LONDON).date()}), [])


@bp.post("/e/<base58:uuid>/tidy-date")
@open_to(*CONDUCT)
def save_tidy_date(uuid: str) -> AnyResponse | tuple[str, int]:
    """The date stands. One that is very early or late is asked about once before."""
    form, now, warnings = TidyDateForm(), site().clock.now(), []
    if form.validate():
        moment = datetime.combine(form.on.data, time(), LONDON)
        warnings = [] if request.form.get("warned") == form.on.data.isoformat() else tidy.warnings(moment, now)
        if not warnings and code_is_right(form):
            try:
                with site().database.write() as db:
                    tidy.set_date(db, uuid, moment, actor(), now, reason=form.reason.data)
                return redirect(f"/officer/e/{uuid}", code=303)
            except BallotError as error:
                form.put_error("reason" if "reason" in str(error) else "on", str(error))
    with site().database.read() as db:
        return _page(db, uuid, form, warnings), 422


@bp.post("/e/<base58:uuid>/repeat")
@open_to(*CONDUCT)
def repeat(uuid: str) -> AnyResponse:
    """A void ballot is a new draft with the same questions, rules and electorate, from tomorrow at 9; it needs new keys.

    Raises: PreconditionError: it is not void.
    """
    now = site().clock.now()
    opens = datetime.combine(now.astimezone(LONDON).date() + timedelta(days=1), time(9), LONDON)
    with site().database.write() as db:
        election = election_of(db, uuid)
        if election.state is not ElectionState.VOID:
            raise PreconditionError(phrase("Only a void ballot is asked again from a copy."))
        closes = opens + max(election.closes_at - election.opens_at, timedelta(hours=1))
        made = lifecycle.copy_election(db, uuid, actor(), now, opens_at=opens, closes_at=closes, practice=election.practice)
    return redirect(f"/officer/e/{made.uuid}", code=303)
