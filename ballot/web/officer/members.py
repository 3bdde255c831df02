"""Help for one member: how their mail fares, the link again, a corrected address, a cancelled link. Nobody sees the link itself."""

from __future__ import annotations

from flask import abort, g, redirect, render_template, request
from sqlmodel import Session, col, select
from werkzeug.wrappers import Response as AnyResponse
from wtforms import SelectField
from wtforms.fields.choices import SelectChoice

from ballot.errors import BallotError, PreconditionError
from ballot.language import phrase
from ballot.models import Outbox, RollEntry
from ballot.services import invitations, registrar
from ballot.services.approvals import Need
from ballot.services.registrar import Cause
from ballot.web import site
from ballot.web.access import KEEP_ROLL, open_to
from ballot.web.forms import line, options
from ballot.web.officer import bp
from ballot.web.officer.common import CodeForm, actor, code_is_right, meeting_of, rights
from ballot.web.officer.moves import agree_and_do, second_of
from ballot.web.qr import qr_svg
from ballot.web.words import capfirst

FOUND = 50  # members on one page of a search


def causes() -> list[SelectChoice]:
    """Why a link is sent anew or cancelled, or a card made."""
    return options([(str(cause), capfirst(cause)) for cause in Cause])


class MemberForm(CodeForm):
    cause = SelectField(phrase("Why?"), choices=causes)
    email = line(
        phrase("Corrected e-mail address"), hint=phrase("Leave it empty if the address is right."), missing="", optional=True, longest=254
    )


@bp.get("/m/<base58:meeting_id>/members")
@open_to(*KEEP_ROLL)
def members(meeting_id: str) -> str:
    """Search the frozen roll by a part of the name, the address or the number."""
    wanted = request.args.get("q", "").strip()
    found: list[RollEntry] = []
    with site().database.read() as db:
        meeting = meeting_of(db, meeting_id)
        if wanted:
            like = f"%{wanted.replace('%', '').replace('_', '')}%"
            rows = (
                select(RollEntry)
                .where(RollEntry.meeting_id == meeting_id, RollEntry.reason == "")
                .where(col(RollEntry.name).ilike(like) | col(RollEntry.email).ilike(like) | col(RollEntry.number).ilike(like))
                .order_by(col(RollEntry.name))
                .limit(FOUND)
            )
            found = list(db.exec(rows).all())
    return render_template("officer/members.html", meeting=meeting, wanted=wanted, found=found, most=FOUND, **rights())


def _entry(db: Session, meeting_id: str, handle: str) -> RollEntry:
    entry = db.get(RollEntry, handle)
    if entry is None or entry.meeting_id != meeting_id or entry.reason:
        abort(404)
    return entry


class CardForm(CodeForm):
    cause = SelectField(phrase("Why?"), choices=causes)


def _page(
    db: Session,
    meeting_id: str,
    handle: str,
    form: MemberForm,
    said: str = "",
    *,
    card_form: CardForm | None = None,
    print_form: CodeForm | None = None,
) -> str:
    now = site().clock.now()
    meeting = meeting_of(db, meeting_id)
    reissue = second_of(db, meeting, Need.REISSUE, handle, now, practice=False)
    if reissue.approval is not None and not form.is_submitted():
        form.cause.data, _, form.email.data = reissue.approval.reason.partition("\n")
    mails = db.exec(select(Outbox).where(Outbox.meeting_id == meeting_id, Outbox.handle == handle).order_by(col(Outbox.due_at))).all()
    return render_template(
        "officer/member.html",
        meeting=meeting,
        entry=_entry(db, meeting_id, handle),
        mails=[mail for mail in mails if mail.kind == "invitation"],
        voted=registrar.votes_spent(db, handle),
        reissue=reissue,
        withdraw=second_of(db, meeting, Need.WITHDRAW, handle, now, practice=False),
        card=second_of(db, meeting, Need.CARD, handle, now, practice=False),
        my_half=_my_half(_entry(db, meeting_id, handle)),
        sendable=bool(invitations.sendable(db, meeting_id)),
        form=form,
        card_form=card_form or CardForm(formdata=None, prefix="card-"),
        print_form=print_form or CodeForm(formdata=None, prefix="print-"),
        said=said,
        **rights(),
    )


def _my_half(entry: RollEntry) -> str:
    """Which half of this member's card waits for the officer at the screen to print it."""
    return {entry.card_code_by: "code", entry.card_link_by: "link"}.get(g.officer.id, "")


@bp.get("/m/<base58:meeting_id>/members/<base58:handle>")
@open_to(*KEEP_ROLL)
def member(meeting_id: str, handle: str) -> str:
    with site().database.read() as db:
        return _page(db, meeting_id, handle, MemberForm(formdata=None))


@bp.post("/m/<base58:meeting_id>/members/<base58:handle>/resend")
@open_to(*KEEP_ROLL)
def resend(meeting_id: str, handle: str) -> str:
    """The same link once more, to the same address. It needs no second person, since nothing changes hands."""
    with site().database.write() as db:
        entry = _entry(db, meeting_id, handle)
        sent = invitations.send_one(db, site().config, site().keys, site().mailer, entry, site().clock.now())
    said = (
        phrase("The e-mail is on its way.")
        if sent
        else phrase("There is nothing to send to this member: no ballot of theirs is locked or open.")
    )
    with site().database.read() as db:
        return _page(db, meeting_id, handle, MemberForm(formdata=None), said)


@bp.post("/m/<base58:meeting_id>/members/<base58:handle>/<any(reissue,withdraw):word>")
@open_to(*KEEP_ROLL)
def change_link(meeting_id: str, handle: str, word: str) -> AnyResponse | tuple[str, int]:
    """A new link in place of the old one, or none any more; two people where the meeting wants it."""
    form, now = MemberForm(), site().clock.now()
    need = Need.REISSUE if word == "reissue" else Need.WITHDRAW
    with site().database.read() as db:
        _entry(db, meeting_id, handle)
        wording = registrar.new_link_wording(form.cause.data, form.email.data if word == "reissue" else None)
        second = second_of(
            db, meeting_of(db, meeting_id), need, handle, now, practice=False, wording=wording if word == "reissue" else None
        )
    valid = form.validate()
    if valid and second.wanted and second.mine and not second.given:
        form.put_error("code", phrase("A second officer has to agree first. Ask them to sign in and open “My ballots”."))
        valid = False
    if valid and code_is_right(form):
        cause = Cause(form.cause.data)

        def do(approval: str | None) -> None:
            with site().database.write() as db:
                if word == "withdraw":
                    registrar.withdraw(db, handle, cause=cause, actor=actor(), approval=approval, now=now)
                    site().mailer.withdraw(db, meeting_id, handle)
                    return
                site().mailer.withdraw(db, meeting_id, handle)
                entry = registrar.reissue(db, handle, cause=cause, email=form.email.data or None, actor=actor(), approval=approval, now=now)
                invitations.send_one(db, site().config, site().keys, site().mailer, entry, now)

        try:
            agree_and_do(second, meeting_id, need, handle, wording, do)
            return redirect(f"/officer/m/{meeting_id}/members/{handle}", code=303)
        except BallotError as error:
            form.put_error("email" if form.email.data else "code", str(error))
    with site().database.read() as db:
        return _page(db, meeting_id, handle, form), 422


# --- paper cards ------------------------------------------------------------------------------------------------


@bp.post("/m/<base58:meeting_id>/members/<base58:handle>/card")
@open_to(*KEEP_ROLL)
def make_card(meeting_id: str, handle: str) -> AnyResponse | tuple[str, int]:
    """A paper card in place of the link, always by two people: each will print one half."""
    form, now = CardForm(prefix="card-"), site().clock.now()
    with site().database.read() as db:
        _entry(db, meeting_id, handle)
        second = second_of(db, meeting_of(db, meeting_id), Need.CARD, handle, now, practice=False)
    valid = form.validate()
    if valid and second.mine and not second.given:
        form.put_error("code", phrase("A second officer has to agree first. Ask them to sign in and open “My ballots”."))
        valid = False
    if valid and code_is_right(form):

        def do(approval: str | None) -> None:
            with site().database.write() as db:
                site().mailer.withdraw(db, meeting_id, handle)
                registrar.make_card(db, handle, cause=Cause(form.cause.data), actor=actor(), approval=approval, now=now)

        try:
            agree_and_do(second, meeting_id, Need.CARD, handle, str(form.cause.data), do)
            return redirect(f"/officer/m/{meeting_id}/members/{handle}", code=303)
        except BallotError as error:
            form.put_error("code", str(error))
    with site().database.read() as db:
        return _page(db, meeting_id, handle, MemberForm(formdata=None), card_form=form), 422


@bp.post("/m/<base58:meeting_id>/members/<base58:handle>/print-card")
@open_to(*KEEP_ROLL)
def print_card(meeting_id: str, handle: str) -> str | tuple[str, int]:
    """This officer's half of the card, to be printed at once: it is shown this one time."""
    form, now = CodeForm(prefix="print-"), site().clock.now()
    if form.validate() and code_is_right(form):
        try:
            with site().database.write() as db:
                _entry(db, meeting_id, handle)
                elections = invitations.sendable(db, meeting_id)
                if not elections:
                    raise PreconditionError(phrase("No ballot of this meeting is locked or open, so a card would open nothing."))
                expires = invitations.expiry(site().config, elections, now)
                half = registrar.print_card(db, site().config, site().keys, handle, actor(), now, expires)
                meeting = meeting_of(db, meeting_id)
            return render_template(
                "officer/card.html",
                meeting=meeting,
                half=half,
                qr=qr_svg(half.url) if half.url else "",
                closes=max(election.closes_at for election in elections),
                opens=min(election.opens_at for election in elections),
            )
        except BallotError as error:
            form.put_error("code", str(error))
    with site().database.read() as db:
        return _page(db, meeting_id, handle, MemberForm(formdata=None), print_form=form), 422
