"""The public pages."""

from __future__ import annotations

from flask import render_template

from ballot.web.access import Role, open_to
from ballot.web.board import bp


@bp.get("/")
@open_to(Role.PUBLIC)
def front() -> str:
    return render_template("board/front.html")


@bp.get("/how")
@open_to(Role.PUBLIC)
def how() -> str:
    return render_template("board/how.html")
