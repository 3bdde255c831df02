"""Signing in: mailed code, then the second factor; the first time, the second factor is set up in between.

Loading any of these pages spends nothing. The mailed link carries its code after `#`, which a small script puts into the
field; without the script the officer copies it from the mail. Either way a press sends it.
"""

from __future__ import annotations

from datetime import timedelta

from flask import Response, g, make_response, redirect, render_template
from werkzeug.wrappers import Response as AnyResponse

from ballot.errors import SignInFailedError, TooManyTriesError
from ballot.language import phrase
from ballot.models import Officer
from ballot.services import mail, officers, roll_import
from ballot.web import site
from ballot.web.access import OFFICERS, Role, open_to
from ballot.web.forms import Form, line
from ballot.web.officer import bp
from ballot.web.officer.session import drop_cookie, set_cookie, signed_in
from ballot.web.qr import qr_svg

HOURS = officers.SESSION_LIFE // timedelta(hours=1)


class AddressForm(Form):
    email = line(phrase("Your e-mail address"), missing=phrase("Type your e-mail address"), longest=254)


class MailedCodeForm(Form):
    code = line(
        phrase("Code from the e-mail"),
        hint=phrase("It looks like ABCDE-FGHJK-… Capitals and hyphens do not matter."),
        missing=phrase("Type the code from the e-mail"),
    )


class DigitsForm(Form):
    code = line(
        phrase("6-digit code"),
        hint=phrase("From your authenticator app. It changes every 30 seconds."),
        missing=phrase("Type the 6 digits that your app shows now"),
        longest=40,
    )


class EitherForm(Form):
    code = line(
        phrase("6-digit code"),
        hint=phrase("From your authenticator app. Lost it? Type one of your recovery codes instead."),
        missing=phrase("Type the 6 digits that your app shows now"),
        longest=40,
    )


@bp.get("/sign-in")
@open_to(Role.PUBLIC)
def sign_in() -> AnyResponse | str:
    visit = signed_in()
    if visit is not None:
        return redirect(_next_step(visit))
    return render_template("officer/sign-in.html", form=AddressForm())


@bp.post("/sign-in")
@open_to(Role.PUBLIC)
def ask_for_link() -> AnyResponse | tuple[str, int]:
    """The same answer, and much the same work, for an officer's address and for any other."""
    form = AddressForm()
    if not form.validate():
        return render_template("officer/sign-in.html", form=form), 422
    now = site().clock.now()
    with site().database.write() as db:
        officers.forget_old(db, now=now)
        made = officers.make_login_link(db, email=form.email.data, now=now)
        if made is not None:
            officer, secret = made
            link = f"{site().config.public_url}/officer/sign-in/link#{secret}"
            minutes = int(officers.LINK_LIFE.total_seconds()) // 60
            site().mailer.put(db, mail.sign_in(name=officer.name, address=officer.email, link=link, code=secret, minutes=minutes), now)
    return redirect("/officer/sign-in/link", code=303)


@bp.get("/sign-in/link")
@open_to(Role.PUBLIC)
def mailed_code() -> str:
    return render_template("officer/mailed-code.html", form=MailedCodeForm())


@bp.post("/sign-in/link")
@open_to(Role.PUBLIC)
def use_mailed_code() -> AnyResponse | tuple[str, int]:
    form = MailedCodeForm()
    if not form.validate():
        return render_template("officer/mailed-code.html", form=form), 422
    try:
        with site().database.write() as db:
            officer, cookie = officers.use_login_link(db, secret=form.code.data, now=site().clock.now())
            if not officers.enrolled(officer):
                officers.enrolment_secret(db, site().keys, officer)
    except SignInFailedError as error:
        form.put_error("code", str(error))
        return render_template("officer/mailed-code.html", form=form), 403
    response = redirect("/officer/sign-in/second" if officers.enrolled(officer) else "/officer/sign-in/enrol", code=303)
    set_cookie(_real(response), cookie)
    return response


@bp.get("/sign-in/second")
@open_to(*OFFICERS, half_way=True)
def second_factor() -> AnyResponse | str:
    visit = g.visit
    if visit.complete or not officers.enrolled(visit.officer):
        return redirect(_next_step(visit))
    return render_template("officer/second.html", form=EitherForm(), hours=HOURS)


@bp.post("/sign-in/second")
@open_to(*OFFICERS, half_way=True)
def use_second_factor() -> AnyResponse | tuple[str, int]:
    form = EitherForm()
    if not officers.enrolled(g.visit.officer):
        return redirect(_next_step(g.visit), code=303)
    cookie = _try_code(form)
    if cookie is None:
        return render_template("officer/second.html", form=form, hours=HOURS), 422
    response = redirect("/officer/", code=303)
    set_cookie(_real(response), cookie)
    return response


@bp.get("/sign-in/enrol")
@open_to(*OFFICERS, half_way=True)
def enrol() -> AnyResponse | str:
    if officers.enrolled(g.visit.officer):
        return redirect(_next_step(g.visit))
    return _enrol_page(DigitsForm())


@bp.post("/sign-in/enrol")
@open_to(*OFFICERS, half_way=True)
def use_enrol() -> AnyResponse | tuple[str, int]:
    """The second factor is set up once six right digits have come back; recovery codes are shown this one time."""
    if officers.enrolled(g.visit.officer):
        return redirect(_next_step(g.visit), code=303)
    form = DigitsForm()
    cookie = _try_code(form)
    if cookie is None:
        return _enrol_page(form), 422
    return _show_recovery_codes(cookie)


@bp.get("/account")
@open_to(*OFFICERS)
def account() -> str:
    return render_template("officer/account.html", form=DigitsForm(), left=len(g.officer.recovery_hashes))


@bp.post("/account")
@open_to(*OFFICERS)
def new_recovery_codes() -> AnyResponse | tuple[str, int]:
    form = DigitsForm()
    cookie = _try_code(form)
    if cookie is None:
        return render_template("officer/account.html", form=form, left=len(g.officer.recovery_hashes)), 422
    return _show_recovery_codes(cookie)


@bp.post("/sign-out")
@open_to(*OFFICERS, half_way=True)
def sign_out() -> AnyResponse:
    with site().database.write() as db:
        officers.sign_out(db, g.visit)
        roll_import.forget_officer(db, g.visit.officer.id)
    response = redirect("/officer/sign-in", code=303)
    drop_cookie(_real(response))
    return response


def _next_step(visit: officers.Visit) -> str:
    if visit.complete:
        return "/officer/"
    return "/officer/sign-in/second" if officers.enrolled(visit.officer) else "/officer/sign-in/enrol"


def _try_code(form: Form) -> str | None:
    """The new session's cookie where the code was right; otherwise the form says why not."""
    if not form.validate():
        return None
    try:
        return officers.complete_sign_in(site().database, site().keys, g.visit, code=form["code"].data, now=site().clock.now())
    except (SignInFailedError, TooManyTriesError) as error:
        form.put_error("code", str(error))
        return None


def _show_recovery_codes(cookie: str) -> AnyResponse:
    with site().database.write() as db:
        officer = db.get(Officer, g.visit.officer.id)
        if officer is None:
            raise SignInFailedError(phrase("This officer is no longer here."))
        codes = officers.make_recovery_codes(db, officer)
    response = make_response(render_template("officer/recovery-codes.html", codes=codes))
    set_cookie(response, cookie)
    return response


def _enrol_page(form: Form) -> str:
    with site().database.read() as db:
        secret = officers.enrolment_secret(db, site().keys, g.visit.officer)
    address = officers.enrolment_address(g.visit.officer, secret, site().config.organisation)
    grouped = " ".join(secret[i : i + 4] for i in range(0, len(secret), 4))
    return render_template("officer/enrol.html", form=form, qr=qr_svg(address), secret=grouped)


def _real(response: AnyResponse) -> Response:
    """`redirect` says it returns Werkzeug's class; inside an application it is Flask's."""
    if not isinstance(response, Response):
        raise TypeError("redirect did not return a Flask response")
    return response
