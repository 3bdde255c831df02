"""The page on which the reader's own browser checks the whole ballot box."""

from __future__ import annotations

from typing import Final

from flask import render_template

from ballot.models import Election, ElectionState
from ballot.services import board
from ballot.web import build, site
from ballot.web.access import Role, open_to
from ballot.web.board import bp
from ballot.web.board.effort import duration, seconds_to_verify
from ballot.web.board.texts import VERIFY
from ballot.web.languages import current
from ballot.web.texts import for_script

PHONE: Final = 4  # times as long as on a laptop
BELENIOS_LAST_LINE: Final = "I: all checks passed"


@bp.get("/e/<base58:uuid>/verify")
@open_to(Role.PUBLIC)
def verify(uuid: str) -> str:
    """What will be downloaded and how long it takes, and the other ways; the rest is the script's."""
    with site().database.read() as db:
        head = board.head_of(db, uuid)  # a draft has none
        found = db.get_one(Election, uuid)
        voted, _ = board.turnout(db, uuid)
    seconds = seconds_to_verify(board.load_setup(site().database, uuid), voted)
    return render_template(
        "board/verify.html",
        election=found,
        head=head,
        published=found.state == ElectionState.PUBLISHED,
        megabytes=f"{max(head.size / 1e6, 0.1):,.1f}",
        on_laptop=duration(seconds),
        on_phone=duration(PHONE * seconds),
        belenios_line=BELENIOS_LAST_LINE,
        bundles=build.read_manifest(),
        texts=for_script(VERIFY, [current()]),
    )
