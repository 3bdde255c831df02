"""What the booth asks while it runs: JSON in, JSON out, each request with the header that no other site's page can send."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, Final

from flask import Response, jsonify, request
from sqlalchemy import Connection
from sqlmodel import Session

from ballot import failpoints
from ballot.errors import BallotError, MalformedError
from ballot.language import phrase
from ballot.models import Election, ElectionState, Meeting
from ballot.protocol.messages import QuestionNH, ThresholdParameters
from ballot.services import board, invitations, lifecycle, tokens
from ballot.services.clock import iso
from ballot.web import site
from ballot.web.access import Guard, Role, open_to
from ballot.web.booth import bp, resend
from ballot.web.booth.pages import current_meetings

log = logging.getLogger(__name__)

_LONGEST: Final = 2000  # characters of any text but a ballot


def _body(*fields: str, optional: frozenset[str] = frozenset()) -> dict[str, str]:
    """The request's JSON object, which has exactly these texts, and maybe the optional ones. Raises: MalformedError."""
    try:
        body = json.loads(request.get_data(), object_pairs_hook=_once)
        json.dumps(body, ensure_ascii=False).encode()  # half of a surrogate pair has no UTF-8, and would fail later
    except (ValueError, RecursionError) as error:
        raise MalformedError(phrase("The request is not JSON.")) from error
    if not isinstance(body, dict) or body.keys() - optional != set(fields) or not all(isinstance(value, str) for value in body.values()):
        raise MalformedError(phrase("The request does not have the fields it should have."))
    if any(len(value) > _LONGEST for name, value in body.items() if name != "ballot"):
        raise MalformedError(phrase("A field of the request is too long."))
    return body


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(dict(pairs)) != len(pairs):
        raise ValueError("the same key twice")
    return dict(pairs)


# --- what is going on: public ----------------------------------------------------------------------------------


@bp.get("/vote/meetings")
@open_to(Role.PUBLIC)
def meetings() -> Response:
    """The meetings of these weeks with their elections, so that the booth can draw its first page without sending anything."""
    with site().database.read() as db:
        listed = [_meeting_json(meeting, elections) for meeting, elections in current_meetings(db)]
    return jsonify({"now": _now(), "meetings": listed})


def _now() -> str:
    """The service's clock with thousandths, so that the booth can warn before the close on a phone whose clock is wrong."""
    return site().clock.now().isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _meeting_json(meeting: Meeting, elections: Sequence[Election]) -> dict[str, Any]:
    return {
        "id": meeting.id,
        "name": meeting.name,
        "practice": all(election.practice for election in elections),
        "elections": [_election_json(election) for election in elections],
    }


def _election_json(election: Election) -> dict[str, Any]:
    setup = board.load_setup(site().database, election.uuid)
    trustees, threshold = _key_holders(setup)
    return {
        "uuid": election.uuid,
        "name": election.name,
        "state": _state(election.state),
        "opens": iso(election.opens_at),
        "closes": iso(_close(election)),
        "replace": setup.replace,
        "practice": election.practice,
        "questions": len(setup.election.questions),
        "ranked": any(isinstance(question, QuestionNH) for question in setup.election.questions),
        "trustees": trustees,
        "threshold": threshold,
    }


def _state(state: ElectionState) -> str:
    """The booth tells apart before, during and after; how far the count is stands on the public pages."""
    return state.value if state in {ElectionState.LOCKED, ElectionState.OPEN, ElectionState.VOID} else ElectionState.CLOSED.value


def _close(election: Election) -> datetime:
    """When voting ends, or ended: an officer may have closed it early, with a public reason."""
    return min(election.closes_at, election.closed_at or election.closes_at)


def _key_holders(setup: board.Setup) -> tuple[int, int]:
    """How many people hold keys, and how many of them open the box together."""
    number = needed = 0
    for item in setup.trustees.items:
        if isinstance(item, ThresholdParameters):
            number, needed = number + len(item.verification_keys), needed + item.threshold
        else:
            number, needed = number + 1, needed + 1
    return number, needed


# --- the member --------------------------------------------------------------------------------------------------


@bp.post("/vote/open")
@open_to(Role.MEMBER, guard=Guard.HEADER)
def open_papers() -> Response:
    """The member's elections, and the receipts of the votes that are in the box. Reads only."""
    token = _body("token")["token"]
    now = site().clock.now()
    claim = tokens.read_voting_token(site().keys, token, now)
    with site().database.read() as db:
        entry = tokens.member_of(db, claim)
        meeting = db.get_one(Meeting, claim.meeting_id)
        mine = board.elections_of(db, site().keys, entry)
        closes = {election.uuid: _close(election) for election in lifecycle.elections_of(db, claim.meeting_id)}
    papers = [
        {
            "uuid": election.uuid,
            "name": election.name,
            "state": _state(election.state),
            "opens": iso(election.opens_at),
            "closes": iso(closes[election.uuid]),
            "replace": election.replace,
            "practice": election.practice,
            "fingerprint": election.fingerprint,
            "voted": _voted(election),
        }
        for election in mine
        if election.state is not ElectionState.DRAFT
    ]
    return jsonify({"now": _now(), "meeting": {"id": meeting.id, "name": meeting.name}, "elections": papers})


def _voted(election: board.MemberElection) -> dict[str, Any] | None:
    if election.receipt is None:
        return None
    return {"tracker": election.receipt.ballot, "receipt": election.receipt.to_json()}


@bp.post("/vote/<base58:uuid>/cast")
@open_to(Role.MEMBER, guard=Guard.HEADER)
def cast(uuid: str) -> Response:
    """The ballot is in the box, and this is its receipt. The same bytes again give the same receipt."""
    body = _body("token", "ballot")
    now = site().clock.now()
    receipt = board.cast(site().database, site().keys, uuid, body["token"], body["ballot"].encode(), now, also=_mail_receipt)
    failpoints.reach("before-reply")
    return jsonify(receipt.to_json())


def _mail_receipt(accepted: board.Accepted) -> Callable[[Connection], object]:
    return invitations.queue_receipt(site().config, site().mailer, accepted)


# --- the code, typed ---------------------------------------------------------------------------------------------


@bp.post("/vote/typed/start")
@open_to(Role.PUBLIC, guard=Guard.HEADER)
def typed_start() -> Response:
    """A nonce to sign. Whether the credential exists is not told."""
    body = _body("election", "credential")
    return jsonify({"nonce": tokens.typed_start(site().keys, body["election"], body["credential"], site().clock.now())})


@bp.post("/vote/typed/finish")
@open_to(Role.PUBLIC, guard=Guard.HEADER)
def typed_finish() -> Response:
    """A voting token for the member who proved to know the code. Nothing is spent or marked.

    `token` is that of a link without a code, if there was one: with a paper card it is the other half that is wanted.
    """
    body = _body("election", "credential", "nonce", "challenge", "response", optional=frozenset({"token"}))
    now = site().clock.now()
    with site().database.read() as db:
        token = tokens.typed_finish(
            db,
            site().keys,
            election_uuid=body["election"],
            credential=body["credential"],
            nonce=body["nonce"],
            challenge=body["challenge"],
            response=body["response"],
            expires=_expiry(db, body["election"], now),
            half=body.get("token", ""),
            now=now,
        )
    return jsonify({"token": token})


def _expiry(db: Session, election_uuid: str, now: datetime) -> datetime:
    """Until when a token made now is good: as if the link had been sent now."""
    election = db.get(Election, election_uuid)
    if election is None:
        return now + timedelta(minutes=1)  # of an election that is not ours; the proof is refused in any case
    return invitations.expiry(site().config, lifecycle.elections_of(db, election.meeting_id), now)


@bp.post("/vote/resend")
@open_to(Role.PUBLIC, guard=Guard.HEADER)
def send_again() -> Response:
    """Whatever the address is, the answer is the same and as quick: the work begins when the answer has left."""
    address = _body("email")["email"]
    response = jsonify({"sent": "if that address is on the list"})
    services = site()

    @response.call_on_close
    def _work() -> None:
        try:
            resend.send_again(services, address)
        except BallotError as error:
            log.warning("a link was not sent again: %s", type(error).__name__)  # the officer's pages say why

    return response
