"""Public pages: what anyone may read about an election, from the board and nothing else."""

from flask import Blueprint

bp = Blueprint("board", __name__)

from ballot.web.board import meeting, report_page, verifying, views  # noqa: E402, F401  the views register themselves on `bp`
