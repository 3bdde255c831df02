"""The key ceremony, seen from the service: it carries messages between the key-holders, checks each, and never holds a key.

A real election has a threshold group: at least 3 key-holders, at least 2 and fewer than all of them needed. A practice election may have
one key, held by the service itself or by one named person, and an advisory one a single named person.

Each key-holder of a group sends a certificate, then (once all certificates are here) a polynomial, then (once all polynomials
are here) a voutput, and last proves possession: an exponent proof of v1's kind over

    "ballot-possession:1|" uuid "|" owner number "|" nonce

with the key that the archive will show, where the nonce is the one in `view`.
"""

from __future__ import annotations

import hashlib
import secrets
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeSerializer
from sqlalchemy import delete
from sqlmodel import Session, col, select

from ballot.errors import InvalidProofError, MalformedError, NotFoundError, PreconditionError
from ballot.language import phrase
from ballot.models import Election, ElectionState, Trustee
from ballot.protocol import trustees as ceremony
from ballot.protocol.group import Point
from ballot.protocol.messages import Polynomial, Proof, SignedMsg, TrusteePublicKey, Trustees, Voutput
from ballot.protocol.proofs import check_exponent
from ballot.services import approvals
from ballot.services.journal import Act, Actor, append
from ballot.services.keys import Keys
from ballot.services.rights import Move, require
from ballot.services.roll import clean_email

NONCE_LIFE: Final = timedelta(hours=1)
ASKED_AGAIN: Final = timedelta(days=3)  # so long before the close every key-holder shows once more that the key is there
_NONCE_SALT: Final = "ballot.possession-nonce.v1"


class Stage(StrEnum):
    """What one key-holder is to do now."""

    KEY = "key"
    CERTIFICATE = "cert"
    POLYNOMIAL = "polynomial"
    VOUTPUT = "voutput"
    POSSESSION = "possession"
    WAITING = "waiting"
    READY = "ready"


@dataclass(frozen=True)
class Person:
    """A key-holder as the officer names them."""

    name: str
    email: str


def name_trustees(
    session: Session, election_uuid: str, people: Sequence[Person], threshold: int, actor: Actor, now: datetime
) -> list[Trustee]:
    """These are the election's key-holders, `threshold` of whom will be needed; messages received before are dropped.

    A practice election takes no people (the service holds its one key), or one person, with threshold 1; an advisory one takes one.

    Raises:
        NotAllowedError.
        NotFoundError: no such election.
        PreconditionError: it is locked, or this number of people or threshold protects nothing or loses too easily.
        MalformedError: a name or address cannot be used, or two people share one.
    """
    require(actor, Move.TRUSTEES)
    election = _draft(session, election_uuid)
    size = len(people)
    if (election.practice and size <= 1) or (is_advisory(election) and size == 1):
        threshold = 1
    elif size < 3:
        raise PreconditionError(phrase("Name at least 3 key-holders, so that one can be lost and no one person can open the box."))
    elif not 2 <= threshold < size:
        raise PreconditionError(phrase("Of {size} key-holders, at least 2 and at most {most} can be needed.", size=size, most=size - 1))
    addresses = [clean_email(person.email) for person in people]
    names = [" ".join(person.name.split()) for person in people]
    if any(not name or not name.isprintable() or len(name) > 200 for name in names):
        raise MalformedError(phrase("Each key-holder needs a name of one line."))
    if len({name.casefold() for name in names}) < size or len({address.casefold() for address in addresses}) < size:
        raise MalformedError(phrase("Two key-holders have the same name or address."))
    before = {t.email: t.generation for t in trustees_of(session, election_uuid)}
    session.execute(delete(Trustee).where(col(Trustee.election_uuid) == election_uuid))
    session.expire_all()
    rows = [
        Trustee(election_uuid=election_uuid, number=i, name=name, email=address, generation=before.get(address, -1) + 1)
        for i, (name, address) in enumerate(zip(names, addresses, strict=True), start=1)
    ]
    session.add_all(rows)
    election = _draft(session, election_uuid)
    election.config = {**election.config, "threshold": threshold, "free": None}
    session.add(election)
    approvals.drop(session, approvals.Need.LOCK, election_uuid, now)
    append(
        session,
        election.meeting_id,
        Act.TRUSTEES_NAMED,
        actor,
        now,
        election=election_uuid,
        details={"key-holders": size, "needed": threshold},
    )
    session.flush()
    return rows


def trustees_of(session: Session, election_uuid: str) -> list[Trustee]:
    """The key-holders by number."""
    return list(session.exec(select(Trustee).where(Trustee.election_uuid == election_uuid).order_by(col(Trustee.number))).all())


def renew_link(session: Session, election_uuid: str, number: int, actor: Actor, now: datetime) -> Trustee:
    """The key-holder's older links are dead; make a new token with `tokens.make_trustee_token` and mail it. Raises: NotFoundError."""
    require(actor, Move.TRUSTEES)
    trustee = session.get(Trustee, (election_uuid, number), with_for_update=True)
    if trustee is None:
        raise NotFoundError(phrase("There is no such key-holder."))
    trustee.generation += 1
    session.add(trustee)
    meeting = session.get_one(Election, election_uuid).meeting_id
    append(session, meeting, Act.TRUSTEE_LINK_SENT, actor, now, election=election_uuid, details={"key-holder": number})
    return trustee


# --- what a key-holder sees -------------------------------------------------------------------------------------


def stage_of(trustee: Trustee, everybody: Sequence[Trustee], *, group: bool) -> Stage:
    """What this key-holder is to do now."""
    if group:
        if trustee.cert is None:
            return Stage.CERTIFICATE
        if any(t.cert is None for t in everybody):
            return Stage.WAITING
        if trustee.polynomial is None:
            return Stage.POLYNOMIAL
        if any(t.polynomial is None for t in everybody):
            return Stage.WAITING
        if trustee.voutput is None:
            return Stage.VOUTPUT
    elif trustee.key is None:
        return Stage.KEY
    return Stage.POSSESSION if trustee.possession_at is None else Stage.READY


def view(session: Session, keys: Keys, election_uuid: str, number: int, now: datetime) -> dict[str, Any]:
    """What a key-holder's program needs next, as JSON: the stage, who is waited for, and the messages of the others.

    `certificates`, `vinput` and `voutput` are v1 texts, present from the stage that needs them; `nonce` is for the proof of possession.
    Raises: NotFoundError.
    """
    election = session.get(Election, election_uuid)
    everybody = trustees_of(session, election_uuid)
    trustee = next((t for t in everybody if t.number == number), None)
    if election is None or trustee is None:
        raise NotFoundError(phrase("There is no such key-holder."))
    group = is_group(everybody)
    stage = stage_of(trustee, everybody, group=group)
    certs_here = group and all(t.cert is not None for t in everybody)
    polynomials_here = certs_here and all(t.polynomial is not None for t in everybody)
    answer: dict[str, Any] = {
        "election": election_uuid,
        "name": election.name,
        "practice": election.practice,
        "state": str(election.state),
        "owner": number,
        "holder": trustee.name,
        "kind": "threshold" if group else "single",
        "size": len(everybody),
        "threshold": threshold_of(election),
        "stage": str(stage),
        "waiting_for": [t.name for t in everybody if stage_of(t, everybody, group=group) not in {Stage.WAITING, Stage.READY}],
        "possession_proved": trustee.possession_at is not None,
        "prove_again": is_asked_again(election, trustee, now),
        "not_shown_again": [t.name for t in everybody if is_asked_again(election, t, now)],
        "lost": [t.name for t in everybody if t.lost_at is not None],
        "mine_lost": trustee.lost_at is not None,
        "closes": election.closes_at.isoformat(),
        "nonce": _nonce(keys, election_uuid, number, now),
    }
    if certs_here:
        answer["certificates"] = [_text(t.cert) for t in everybody]
    if polynomials_here:
        answer["vinput"] = _vinputs(everybody)[number - 1].to_bytes().decode()
    if trustee.voutput is not None:
        answer["voutput"] = _text(trustee.voutput)
    return answer


def is_asked_again(election: Election, trustee: Trustee, now: datetime) -> bool:
    """Whether this key-holder is to prove possession once more: from three days before the close, if the last proof is older."""
    since = election.closes_at - ASKED_AGAIN
    if election.state not in {ElectionState.LOCKED, ElectionState.OPEN} or now < since:
        return False
    return trustee.possession_at is not None and trustee.possession_at < since


@dataclass(frozen=True)
class KeyCount:
    """How many keys there still are: names of key-holders whose key is lost, and of those who have not shown theirs again.

    `opened` is how many of the lost keys had opened their share before.
    """

    size: int
    needed: int
    lost: tuple[str, ...]
    not_shown: tuple[str, ...]
    opened: int = 0

    @property
    def left(self) -> int:
        """How many keys can still open the box, or have opened it."""
        return self.size - len(self.lost) + self.opened

    @property
    def spare(self) -> int:
        """How many more may be lost; below 0 the box cannot be opened any more."""
        return self.left - self.needed

    @property
    def spare_of_shown(self) -> int:
        """As `spare`, if every key that was not shown again were lost."""
        return self.spare - len(self.not_shown)


def key_count(election: Election, everybody: Sequence[Trustee], now: datetime, opened: Sequence[int] = ()) -> KeyCount:
    """How many keys of this election there still are; `opened` has the numbers of those whose share is here."""
    lost = [t for t in everybody if t.lost_at is not None]
    return KeyCount(
        size=len(everybody),
        needed=threshold_of(election),
        lost=tuple(t.name for t in lost),
        not_shown=tuple(t.name for t in everybody if t.lost_at is None and is_asked_again(election, t, now)),
        opened=sum(t.number in opened for t in lost),
    )


def report_lost(session: Session, election_uuid: str, number: int, actor: Actor | None, now: datetime) -> KeyCount:
    """This key is lost, said by the key-holder (no actor) or by an officer for them; a second report changes nothing.

    A proof of possession takes it back (`receive_possession`).

    Raises:
        NotAllowedError.
        NotFoundError: no such election or key-holder.
        PreconditionError: the result is published, or the election is void.
    """
    if actor is not None:
        require(actor, Move.TRUSTEES)
    election = session.get(Election, election_uuid, with_for_update=True, populate_existing=True)
    everybody = trustees_of(session, election_uuid)
    trustee = next((t for t in everybody if t.number == number), None)
    if election is None or trustee is None:
        raise NotFoundError(phrase("There is no such key-holder."))
    if election.state in {ElectionState.PUBLISHED, ElectionState.VOID}:
        raise PreconditionError(phrase("This ballot is finished, so its keys are not needed any more."))
    if trustee.lost_at is None:
        trustee.lost_at = now
        session.add(trustee)
        count = key_count(election, everybody, now)
        details = {"key-holder": number, "keys left": count.left, "needed": count.needed}
        who = actor or Actor(f"trustee {number}", "key-holder")
        append(session, election.meeting_id, Act.KEY_LOST, who, now, election=election_uuid, details=details)
    return key_count(election, everybody, now)


def is_group(everybody: Sequence[Trustee]) -> bool:
    """Whether the key-holders form a threshold group."""
    return len(everybody) > 1


def is_advisory(election: Election) -> bool:
    """Whether the election is a consultation, which binds nobody and may do with a single key-holder."""
    return bool(election.config.get("advisory"))


def say_who_is_free(session: Session, election_uuid: str, free: Sequence[int], actor: Actor) -> None:
    """These key-holders have said that they are free at the time set for the count.

    Raises: NotAllowedError, NotFoundError; PreconditionError: no time for the count is set, or there is no such key-holder.
    """
    require(actor, Move.TRUSTEES)
    election = session.get(Election, election_uuid, with_for_update=True, populate_existing=True)
    if election is None:
        raise NotFoundError(phrase("There is no such election."))
    if not election.config.get("counts_at"):
        raise PreconditionError(phrase("Set the time of the count first."))
    if not set(free) <= {trustee.number for trustee in trustees_of(session, election_uuid)}:
        raise PreconditionError(phrase("There is no such key-holder."))
    election.config = {**election.config, "free": sorted(set(free))}
    session.add(election)


def threshold_of(election: Election) -> int:
    """How many key-holders are needed to open the box."""
    return int(election.config.get("threshold", 0))


# --- messages ---------------------------------------------------------------------------------------------------


def receive_key(session: Session, election_uuid: str, number: int, data: bytes, now: datetime) -> None:
    """The single key-holder's public key (v1 text of `trustee_public_key`) is here and proven. Raises: as `receive_cert`."""

    def check(trustee: Trustee, everybody: Sequence[Trustee]) -> None:
        if is_group(everybody):
            raise PreconditionError(phrase("This election has a group of key-holders: send a certificate."))
        ceremony.check_public_key(TrusteePublicKey.parse(data), owner=number)
        trustee.possession_at = None

    _receive(session, election_uuid, number, "key", data, now, check)


def receive_cert(session: Session, election_uuid: str, number: int, data: bytes, now: datetime) -> None:
    """A key-holder's certificate is here and holds. The same bytes again change nothing.

    Raises:
        NotFoundError: no such election or key-holder.
        PreconditionError: too early or too late for this message, or another one was sent already.
        MalformedError, InvalidTrusteeError: the message is not what v1 says, or does not hold.
    """

    def check(trustee: Trustee, everybody: Sequence[Trustee]) -> None:
        del trustee
        if not is_group(everybody):
            raise PreconditionError(phrase("This election has a single key-holder: send a public key."))
        certificate = SignedMsg.parse(data)
        threshold = threshold_of(session.get_one(Election, election_uuid))
        ceremony.check_certificate(certificate, index=number, threshold=threshold, size=len(everybody))
        there = [SignedMsg.parse(t.cert) if t.cert is not None else None for t in everybody]
        there[number - 1] = certificate
        if None not in there:
            ceremony.check_certificates([c for c in there if c is not None], threshold)

    _receive(session, election_uuid, number, "cert", data, now, check)


def receive_polynomial(session: Session, election_uuid: str, number: int, data: bytes, now: datetime) -> None:
    """A key-holder's polynomial is here and holds. Raises: as `receive_cert`."""

    def check(trustee: Trustee, everybody: Sequence[Trustee]) -> None:
        del trustee
        if not is_group(everybody) or any(t.cert is None for t in everybody):
            raise PreconditionError(phrase("Not every key-holder has sent a certificate yet."))
        ceremony.check_polynomial(_certs(everybody), number, Polynomial.parse(data))

    _receive(session, election_uuid, number, "polynomial", data, now, check)


def receive_voutput(session: Session, election_uuid: str, number: int, data: bytes, now: datetime) -> None:
    """A key-holder's voutput, which holds the public half of their share, is here and holds. Raises: as `receive_cert`."""

    def check(trustee: Trustee, everybody: Sequence[Trustee]) -> None:
        del trustee
        if not is_group(everybody) or any(t.polynomial is None for t in everybody):
            raise PreconditionError(phrase("Not every key-holder has sent a polynomial yet."))
        ceremony.check_voutput(_certs(everybody), _polynomials(everybody), number, Voutput.parse(data))

    _receive(session, election_uuid, number, "voutput", data, now, check)


def receive_possession(session: Session, keys: Keys, election_uuid: str, number: int, nonce: str, data: bytes, now: datetime) -> None:
    """The key-holder proved, just now, to hold the key that opens this election (asked again before the close). A key that was
    reported lost is found by this.

    Raises:
        NotFoundError, PreconditionError: no such key-holder, or no key yet.
        MalformedError: not a proof.
        InvalidProofError: the nonce is not ours or too old, or the proof is of another key.
    """
    election = session.get(Election, election_uuid, with_for_update=True)
    trustee = session.get(Trustee, (election_uuid, number))
    if election is None or trustee is None:
        raise NotFoundError(phrase("There is no such key-holder."))
    key = public_key_of(trustee)
    if key is None:
        raise PreconditionError(phrase("This key-holder's key is not made yet."))
    if not _nonce_holds(keys, election_uuid, number, nonce, now):
        raise InvalidProofError(phrase("This proof of possession is too old: fetch the page again and repeat it."))
    check_exponent(possession_statement(election_uuid, number, nonce), key, Proof.parse(data))
    details = {"key-holder": number, **({"found again": True} if trustee.lost_at is not None else {})}
    trustee.possession_at, trustee.lost_at = now, None
    session.add(trustee)
    actor = Actor(f"trustee {number}", "key-holder")
    append(session, election.meeting_id, Act.POSSESSION_PROVED, actor, now, election=election_uuid, details=details)


def possession_statement(election_uuid: str, number: int, nonce: str) -> str:
    """What a proof of possession is over, as at the top of this module."""
    return f"ballot-possession:1|{election_uuid}|{number}|{nonce}"


def public_key_of(trustee: Trustee) -> Point | None:
    """The key with which this key-holder's shares will be checked, once it is made."""
    if trustee.voutput is not None:
        return Voutput.parse(trustee.voutput).public_key.public_key
    return TrusteePublicKey.parse(trustee.key).public_key if trustee.key is not None else None


def _receive(
    session: Session,
    election_uuid: str,
    number: int,
    message: str,
    data: bytes,
    now: datetime,
    check: Callable[[Trustee, Sequence[Trustee]], None],
) -> None:
    election = _draft(session, election_uuid)
    everybody = trustees_of(session, election_uuid)
    trustee = next((t for t in everybody if t.number == number), None)
    if trustee is None:
        raise NotFoundError(phrase("There is no such key-holder."))
    before = getattr(trustee, message)
    if before == data:
        return
    if before is not None:
        raise PreconditionError(
            phrase("Another such message of this key-holder is here already; ask the returning officer to start again.")
        )
    check(trustee, everybody)
    setattr(trustee, message, data)
    session.add(trustee)
    actor = Actor(f"trustee {number}", "key-holder")
    details = {"key-holder": number, "message": message, "hash": hashlib.sha256(data).hexdigest()}
    append(session, election.meeting_id, Act.KEY_RECEIVED, actor, now, election=election_uuid, details=details)


# --- for the lock -----------------------------------------------------------------------------------------------


def unready(session: Session, election: Election) -> str:
    """Why the key-holders are not ready for the lock, in a sentence; "" when they are."""
    everybody = trustees_of(session, election.uuid)
    if not everybody:
        return "" if election.practice else phrase("Name the key-holders first.")
    if not is_group(everybody) and not election.practice and not is_advisory(election):
        return phrase("Name at least 3 key-holders first.")
    if lost := [t.name for t in everybody if t.lost_at is not None]:
        return phrase("The key of {names} is lost. Name the key-holders again and repeat the making of keys.", names=", ".join(lost))
    waiting = [t.name for t in everybody if t.possession_at is None]
    return phrase("Waiting for {names} to make a key and prove that it is safe.", names=", ".join(waiting)) if waiting else ""


def trustees_message(session: Session, election_uuid: str) -> Trustees:
    """The `trustees` object of the archive (4.7), from what was received. Raises: InvalidTrusteeError, MalformedError."""
    everybody = trustees_of(session, election_uuid)
    if is_group(everybody):
        voutputs = [Voutput.parse(t.voutput) for t in everybody if t.voutput is not None]
        return Trustees((ceremony.make_threshold_parameters(_certs(everybody), _polynomials(everybody), voutputs),))
    return Trustees(tuple(TrusteePublicKey.parse(t.key) for t in everybody if t.key is not None))


def _draft(session: Session, election_uuid: str) -> Election:
    election = session.get(Election, election_uuid, with_for_update=True)
    if election is None:
        raise NotFoundError(phrase("There is no such election."))
    if election.state is not ElectionState.DRAFT:
        raise PreconditionError(phrase("The election is locked, so its keys stand."))
    return election


def _certs(everybody: Sequence[Trustee]) -> list[SignedMsg]:
    return [SignedMsg.parse(t.cert) for t in everybody if t.cert is not None]


def _polynomials(everybody: Sequence[Trustee]) -> list[Polynomial]:
    return [Polynomial.parse(t.polynomial) for t in everybody if t.polynomial is not None]


def _vinputs(everybody: Sequence[Trustee]) -> Sequence[Any]:
    return ceremony.make_vinputs(_certs(everybody), _polynomials(everybody))


def _text(data: bytes | None) -> str:
    return "" if data is None else data.decode()


def _serializer(keys: Keys) -> URLSafeSerializer:
    return URLSafeSerializer(keys.token, salt=_NONCE_SALT, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256})


def _nonce(keys: Keys, election_uuid: str, number: int, now: datetime) -> str:
    return str(_serializer(keys).dumps([election_uuid, number, int((now + NONCE_LIFE).timestamp()), secrets.token_urlsafe(12)]))


def _nonce_holds(keys: Keys, election_uuid: str, number: int, nonce: str, now: datetime) -> bool:
    try:
        said = _serializer(keys).loads(nonce) if len(nonce) <= 500 else None
    except BadSignature:
        return False
    match said:
        case [str(uuid), int(owner), int(ends), str()]:
            return (uuid, owner) == (election_uuid, number) and int(now.timestamp()) < ends
    return False
