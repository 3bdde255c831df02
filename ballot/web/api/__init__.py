"""The read paths of a Belenios 3.3 server, so that `belenios-tool election verify --url … --uuid …` audits this site live.

What that command asks for (observed): `archive-header`, `last-event`, then `objects/<hash>` for the last event and everything
it leads back to. `election`, `trustees` are the plain files; `archive` and `companion` are ours, for trustees and auditors.
"""

from __future__ import annotations

from flask import Blueprint, Response, jsonify

from ballot.errors import BoardDamagedError
from ballot.language import phrase
from ballot.protocol.messages import sha256_hex
from ballot.services import board
from ballot.web import site
from ballot.web.access import Role, open_to

bp = Blueprint("api", __name__, url_prefix="/api/elections/<base58:uuid>")

FOREVER = "public, max-age=31536000, immutable"  # named by its hash, so it cannot change
FRESH = "no-cache"


def json_bytes(content: bytes, cache: str) -> Response:
    """JSON exactly as the board holds it."""
    return Response(content, content_type="application/json", headers={"Cache-Control": cache})


@bp.get("/archive-header")
@open_to(Role.PUBLIC)
def archive_header(uuid: str) -> Response:
    with site().database.read() as db:
        return json_bytes(board.archive_header(db, uuid), FRESH)


@bp.get("/last-event")
@open_to(Role.PUBLIC)
def last_event(uuid: str) -> Response:
    """Where the chain ends: height, hash, and the archive's length in bytes."""
    with site().database.read() as db:
        head = board.head_of(db, uuid)
    response = jsonify({"height": head.height, "hash": head.hash, "pos": head.size})
    response.headers["Cache-Control"] = FRESH
    return response


@bp.get("/objects/<string:object_hash>")
@open_to(Role.PUBLIC)
def one_object(uuid: str, object_hash: str) -> Response:
    """An event or an object by its hash."""
    with site().database.read() as db:
        content = board.object_bytes(db, uuid, object_hash)
    if sha256_hex(content) != object_hash:
        raise BoardDamagedError(phrase("This object was changed in the database."), height=-1, object_hash=object_hash)
    return json_bytes(content, FOREVER)


@bp.get("/election")
@open_to(Role.PUBLIC)
def election(uuid: str) -> Response:
    return _of_setup(uuid, "election")


@bp.get("/trustees")
@open_to(Role.PUBLIC)
def trustees(uuid: str) -> Response:
    return _of_setup(uuid, "trustees")


@bp.get("/credentials")
@open_to(Role.PUBLIC)
def credentials(uuid: str) -> Response:
    """The public credentials, frozen at the lock: who they belong to is not told."""
    return _of_setup(uuid, "credentials")


def _of_setup(uuid: str, name: str) -> Response:
    setup = board.load_setup(site().database, uuid)
    with site().database.read() as db:
        return json_bytes(board.object_bytes(db, uuid, getattr(setup.data, name)), FRESH)


@bp.get("/archive")
@open_to(Role.PUBLIC)
def archive(uuid: str) -> Response:
    return stream_archive(uuid)


@bp.get("/companion")
@open_to(Role.PUBLIC)
def companion(uuid: str) -> Response:
    with site().database.read() as db:
        board.head_of(db, uuid)
        return json_bytes(board.companion_bytes(db, uuid), FRESH)


def stream_archive(uuid: str) -> Response:
    """The whole archive as it stands now; memory does not grow with it."""
    size, pieces = board.stream_archive(site().database, uuid)
    headers = {"Content-Disposition": f'attachment; filename="{uuid}.bel"', "Content-Length": str(size), "Cache-Control": FRESH}
    return Response(pieces, content_type="application/x-tar", headers=headers)
