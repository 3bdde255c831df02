"""The officer's cookie: a random value whose row on the server says who is signed in."""

from __future__ import annotations

from typing import cast

from flask import Response, g, request, session

from ballot.services import officers
from ballot.services.officers import Visit
from ballot.web import site


def cookie_name() -> str:
    """`__Host-` binds the cookie to this very host, but a browser keeps such a name only over https."""
    return "__Host-officer" if site().config.public_url.startswith("https:") else "ballot-officer"


def signed_in() -> Visit | None:
    """Who is at the other end of this request, looked up once a request."""
    if "visit" not in g:
        cookie = request.cookies.get(cookie_name())
        if cookie is None:
            g.visit = None
        else:
            with site().database.read() as db:
                g.visit = officers.visit_of(db, cookie=cookie, now=site().clock.now())
    return cast("Visit | None", g.visit)


def set_cookie(response: Response, value: str) -> None:
    """A new session: the forms' secret of the one before is void too."""
    session.clear()
    response.set_cookie(
        cookie_name(),
        value,
        max_age=int(officers.SESSION_LIFE.total_seconds()),
        path="/",
        secure=site().config.public_url.startswith("https:"),
        httponly=True,
        samesite="Strict",
    )


def drop_cookie(response: Response) -> None:
    session.clear()
    response.delete_cookie(cookie_name(), path="/", secure=site().config.public_url.startswith("https:"), httponly=True, samesite="Strict")
