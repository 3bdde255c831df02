"""What a key-holder's program talks to: `ballot trustee --url … --token …`, with the token from the mailed link.

    GET  /api/trustee/<uuid>/<owner>       what to do now, and what it needs
    POST …/key cert polynomial voutput     one v1 message, its exact bytes
    POST …/lost                            an empty body: the key is lost
    POST …/possession                      {"nonce": …, "proof": {"challenge": …, "response": …}}
    POST …/shuffle                         one Shuffle, its exact bytes
    POST …/decryption                      two lines: the PartialDecryption and its companion proofs, the exact bytes of each

Everything is checked on arrival; what does not hold is refused with the reason. The page at /trustee/<uuid>/<owner> does the
same in the browser (static/trustee/*.js), and tells those who prefer a terminal how to begin.
"""

from __future__ import annotations

from typing import Any

from flask import Blueprint, Response, jsonify, render_template, request
from sqlmodel import Session

from ballot.errors import MalformedError, NotFoundError, SignInRequiredError
from ballot.language import phrase
from ballot.models import Trustee
from ballot.protocol.messages import Proof, loads
from ballot.services import jobs, tally, tokens, trustees
from ballot.services.jobs import Kind
from ballot.web import build, site, tools
from ballot.web.access import Guard, Role, open_to
from ballot.web.board.views import election_shown_to_trustees
from ballot.web.languages import current
from ballot.web.texts import for_script
from ballot.web.trustee_api.texts import KEYHOLDER

bp = Blueprint("trustee_api", __name__)

LARGE = tally.MAX_SUBMISSION_BYTES + 1  # a shuffle of very many ballots; only a key-holder may send one
MESSAGE = 1024 * 1024  # bytes; a certificate or polynomial of the largest group is far smaller

_RECEIVE = {
    "key": trustees.receive_key,
    "cert": trustees.receive_cert,
    "polynomial": trustees.receive_polynomial,
    "voutput": trustees.receive_voutput,
}


@bp.get("/trustee/<base58:uuid>/<int:owner>")
@open_to(Role.PUBLIC)
def welcome(uuid: str, owner: int) -> str:
    """The page behind a mailed link. It reads nothing of the link's secret part, so it tells nothing that is not public."""
    with site().database.read() as db:
        election = election_shown_to_trustees(db, uuid)
    texts = for_script(KEYHOLDER, [current()])
    return render_template("trustee/welcome.html", election=election, owner=owner, bundles=build.read_manifest(), texts=texts)


def _checked(db: Session, uuid: str, owner: int) -> Trustee:
    """The key-holder whose token came with the request. Raises: SignInRequiredError, TokenInvalidError."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme != "Bearer" or not token:
        raise SignInRequiredError(phrase("This address needs the token from your key-holder link."))
    return tokens.trustee_of(db, site().keys, token.strip(), uuid, owner)


@bp.get("/api/trustee/<base58:uuid>/<int:owner>")
@open_to(Role.TRUSTEE, guard=Guard.BEARER)
def view(uuid: str, owner: int) -> Response:
    with site().database.read() as db:
        _checked(db, uuid, owner)
        return jsonify(trustees.view(db, site().keys, uuid, owner, site().clock.now()))


@bp.post("/api/trustee/<base58:uuid>/<int:owner>/<any(key,cert,polynomial,voutput):message>")
@open_to(Role.TRUSTEE, guard=Guard.BEARER, body=MESSAGE)
def receive(uuid: str, owner: int, message: str) -> Response:
    """One message of the key ceremony. The same bytes again change nothing."""
    with site().database.read() as db:
        _checked(db, uuid, owner)
    data = request.get_data()
    with site().database.write() as db:
        _RECEIVE[message](db, uuid, owner, data, site().clock.now())
    return _received()


@bp.post("/api/trustee/<base58:uuid>/<int:owner>/possession")
@open_to(Role.TRUSTEE, guard=Guard.BEARER)
def possession(uuid: str, owner: int) -> Response:
    with site().database.read() as db:
        _checked(db, uuid, owner)
    nonce, proof = _possession(loads(request.get_data()))
    with site().database.write() as db:
        trustees.receive_possession(db, site().keys, uuid, owner, nonce, proof, site().clock.now())
    return _received()


@bp.post("/api/trustee/<base58:uuid>/<int:owner>/lost")
@open_to(Role.TRUSTEE, guard=Guard.BEARER)
def lost(uuid: str, owner: int) -> Response:
    """The key-holder says that the key, or its passphrase, is lost. Proving possession later takes it back."""
    with site().database.read() as db:
        _checked(db, uuid, owner)
    with site().database.write() as db:
        trustees.report_lost(db, uuid, owner, None, site().clock.now())
    return _received()


def _possession(body: Any) -> tuple[str, bytes]:
    match body:
        case {"nonce": str(nonce), "proof": dict(proof)} if len(body) == 2:
            return nonce, Proof.from_json(proof).to_bytes()
    raise MalformedError(phrase("A proof of possession has a nonce and a proof."))


@bp.post("/api/trustee/<base58:uuid>/<int:owner>/shuffle")
@open_to(Role.TRUSTEE, guard=Guard.BEARER, body=LARGE)
def shuffle(uuid: str, owner: int) -> tuple[Response, int]:
    with site().database.read() as db:
        _checked(db, uuid, owner)
    return _checked_or_kept(jobs.submit(uuid, Kind.SHUFFLE, owner, request.get_data(), b"", tools()))


@bp.post("/api/trustee/<base58:uuid>/<int:owner>/decryption")
@open_to(Role.TRUSTEE, guard=Guard.BEARER, body=2 * LARGE)
def decryption(uuid: str, owner: int) -> tuple[Response, int]:
    with site().database.read() as db:
        _checked(db, uuid, owner)
    partial, end, companion = request.get_data().partition(b"\n")
    if not end or b"\n" in companion:
        raise MalformedError(phrase("A share has two lines: the decryption, and its companion proofs."))
    return _checked_or_kept(jobs.submit(uuid, Kind.SHARE, owner, partial, companion, tools()))


@bp.get("/api/trustee/<base58:uuid>/<int:owner>/tally")
@open_to(Role.TRUSTEE, guard=Guard.BEARER)
def progress(uuid: str, owner: int) -> Response:
    """How far the count is, for a program that waits for its turn."""
    with site().database.read() as db:
        _checked(db, uuid, owner)
        names = [trustee.name for trustee in trustees.trustees_of(db, uuid)]
    found = tally.steps(site().database, uuid)
    if not found.begun:
        raise NotFoundError(phrase("The count has not begun yet."))
    return jsonify(
        {
            "ballots": found.ballots,
            "code": found.code,
            "ranked": found.ranked,
            "shuffled": found.shuffled,
            "shuffles_ended": found.shuffles_ended,
            "opened": found.opened,
            "result": found.result,
            "waiting_for": found.waiting_for,
            "holders": names,
        }
    )


def _received() -> Response:
    return jsonify({"received": True})


def _checked_or_kept(checked: bool) -> tuple[Response, int]:
    """202: of very many ballots a message takes minutes to check; it is kept, and the same bytes again ask how that ended."""
    return jsonify({"received": True, "checked": checked}), 200 if checked else 202
