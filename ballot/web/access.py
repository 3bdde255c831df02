"""Who may open which door: every view carries a mark, and the application refuses to start while one has none.

The mark also says how a request that changes something proves that it was meant (`Guard`) and how large its body may be.
One function, `check_request`, runs before every view and applies all of it; a view without a mark is never reached.
"""

from __future__ import annotations

import enum
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from flask import Flask, current_app, g, request
from itsdangerous import BadData, URLSafeTimedSerializer
from werkzeug.exceptions import BadRequest, Forbidden, NotFound

from ballot.errors import CrossSiteRequestError, SignInRequiredError, WrongRoleError
from ballot.language import phrase

if TYPE_CHECKING:
    from ballot.models import Officer

View = TypeVar("View", bound=Callable[..., object])

PUBLIC_FORM_LIFE = 12 * 3600  # seconds
SMALL_BODY = 256 * 1024  # bytes; enough for a ballot of 100 questions and for every form but the roll's


class Role(enum.Enum):
    """The kinds of people who come to the site; an officer's are also the values kept in the database."""

    PUBLIC = "public"
    MEMBER = "member"  # proves it with the voting token inside the request; the view checks it on every call
    TRUSTEE = "trustee"  # proves it with the bearer token of the mailed link; the view checks it on every call
    RETURNING_OFFICER = "returning-officer"
    DEPUTY = "deputy"
    MEMBERSHIP_SECRETARY = "membership-secretary"
    OBSERVER = "observer"
    DEVELOPMENT = "development"  # exists only where the site runs for development; elsewhere the page is not found


OFFICERS = frozenset({Role.RETURNING_OFFICER, Role.DEPUTY, Role.MEMBERSHIP_SECRETARY, Role.OBSERVER})
CONDUCT = frozenset({Role.RETURNING_OFFICER, Role.DEPUTY})  # may run a ballot
KEEP_ROLL = frozenset({Role.RETURNING_OFFICER, Role.MEMBERSHIP_SECRETARY})  # may see and load the roll, and help a member
STAFF = CONDUCT | KEEP_ROLL  # all but observers, who have a page of their own


class Guard(enum.Enum):
    """How a request that changes something shows that it comes from our own page or program."""

    FORM = "form"  # the hidden token of the form
    HEADER = "header"  # `X-Ballot: 1`, which another site's page cannot send; the booth carries no cookie at all
    SIGNED = "signed"  # a hidden token that binds nobody: for public forms that act for no one, on pages that set no cookie
    BEARER = "bearer"  # an Authorization header, which no browser adds by itself


@dataclass(frozen=True)
class Mark:
    roles: frozenset[Role]
    guard: Guard
    body: int
    half_way: bool  # open to an officer who has given the mailed code but not yet the second factor


def open_to(*roles: Role, guard: Guard = Guard.FORM, body: int = SMALL_BODY, half_way: bool = False) -> Callable[[View], View]:
    """Mark a view with the roles that may open it; put it directly above the function."""
    if not roles:
        raise RuntimeError("a view is open to at least one role")

    def mark(view: View) -> View:
        view.mark = Mark(frozenset(roles), guard, body, half_way)  # type: ignore[attr-defined]
        return view

    return mark


def mark_of(app: Flask, endpoint: str) -> Mark | None:
    return getattr(app.view_functions[endpoint], "mark", None)


def check_marks(app: Flask) -> None:
    """Stop the start while a view has no mark.

    Raises:
        RuntimeError: names every unmarked view.
    """
    unmarked = sorted({rule.endpoint for rule in app.url_map.iter_rules() if mark_of(app, rule.endpoint) is None})
    if unmarked:
        raise RuntimeError(f"these views say to no one that they are open: {', '.join(unmarked)}")


def check_request() -> None:
    """Refuse a request before its view runs: wrong host, wrong role, or not meant.

    Raises:
        BadRequest: a forwarded host that is not ours.
        NotFound: a development page on a real site.
        SignInRequiredError, WrongRoleError: an officer's page, and not that officer.
        CrossSiteRequestError: a change asked for by another site's page.
    """
    _check_forwarded_host()
    if request.endpoint is None:
        return  # no such page: the router's own error follows
    mark = mark_of(current_app, request.endpoint)
    if mark is None:
        raise Forbidden
    _check_role(mark)
    request.max_content_length = mark.body
    if request.method not in {"GET", "HEAD", "OPTIONS"}:
        _check_meant(mark.guard)


def _check_forwarded_host() -> None:
    """A proxy that forwards another host name than ours is misled or misconfigured (ProxyFix is off by default)."""
    forwarded = request.headers.get("X-Forwarded-Host")
    if forwarded is not None and any(_without_port(name) not in current_app.config["TRUSTED_HOSTS"] for name in forwarded.split(",")):
        raise BadRequest(phrase("This address is not known here."))


def _without_port(host: str) -> str:
    host = host.strip()
    return host if host.endswith("]") else host.rsplit(":", 1)[0] if ":" in host else host


def _check_role(mark: Mark) -> None:
    from ballot.web import site  # noqa: PLC0415  the package imports this module for its own views

    if Role.DEVELOPMENT in mark.roles:
        if not site().config.development:
            raise NotFound
        return
    if mark.roles & {Role.PUBLIC, Role.MEMBER, Role.TRUSTEE}:
        return
    from ballot.web.officer.session import signed_in  # noqa: PLC0415  as above

    visit = signed_in()
    if visit is None or not (visit.complete or mark.half_way):
        raise SignInRequiredError(phrase("Please sign in first."))
    officer: Officer = visit.officer
    used = next((role for role in Role if role in mark.roles and role.value in officer.roles), None)
    if used is None:
        raise WrongRoleError(phrase("Your role does not allow this page. The returning officer can tell you who may open it."))
    g.officer, g.role = officer, used


def public_form_token() -> str:
    """What a public form carries to show that it came from a page of ours, loaded not long ago."""
    return str(_public_forms().dumps(""))


def _public_forms() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(
        current_app.extensions["ballot"].keys.token,
        salt="ballot.public-form.v1",
        signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256},
    )


def _check_meant(guard: Guard) -> None:
    """Refuse a change that another site's page asks for (first the browser's own words, then our proof).

    With `Referrer-Policy: no-referrer` a browser sends `Origin: null` with a form of our own, so null alone proves
    nothing either way; `Sec-Fetch-Site` tells, and the form's token decides in any case.
    """
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None and fetch_site not in {"same-origin", "none"}:
        raise CrossSiteRequestError(phrase("This request came from another website, so nothing was changed."))
    origin = request.headers.get("Origin")
    if origin is not None and origin != "null" and origin != current_app.config["PUBLIC_ORIGIN"]:
        raise CrossSiteRequestError(phrase("This request came from another website, so nothing was changed."))
    if guard is Guard.HEADER:
        if request.headers.get("X-Ballot") != "1" or origin == "null":
            raise CrossSiteRequestError(phrase("This request did not come from the voting page, so nothing was changed."))
    elif guard is Guard.SIGNED:
        try:
            _public_forms().loads(request.form.get("form_token", ""), max_age=PUBLIC_FORM_LIFE)
        except BadData as error:
            raise BadRequest(phrase("This form is too old. Go back, load the page again, and send it once more.")) from error
    elif guard is Guard.BEARER:
        if not request.headers.get("Authorization", "").startswith("Bearer "):
            raise SignInRequiredError(phrase("This address needs the token from your key-holder link."))
    else:
        current_app.extensions["csrf"].protect()
