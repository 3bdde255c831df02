"""The officers' pages: sign-in, meetings, rolls, ballots and every move of their lives."""

from flask import Blueprint

bp = Blueprint("officer", __name__, url_prefix="/officer")

# The views register themselves on `bp`.
from ballot.web.officer import (  # noqa: E402, F401
    afterwards,
    elections,
    mail_problems,
    mailing,
    meetings,
    members,
    messages,
    moves,
    observer,
    practice,
    registrar,
    rolls,
    sign_in,
)
