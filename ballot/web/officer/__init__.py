"""The officers' pages: sign-in, meetings, rolls, elections and every move of their lives."""

from flask import Blueprint

bp = Blueprint("officer", __name__, url_prefix="/officer")

from ballot.web.officer import sign_in  # noqa: E402, F401  the views register themselves on `bp`
