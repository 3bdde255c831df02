"""Signed tokens: what a mailed link carries beside the code, and what proves that a code was typed by someone who has it.

A voting token names the meeting, the member's roll entry by its random handle, the generation of the link and its end. The
signature is itsdangerous' HMAC-SHA-256 under `keys.token`, with one salt a purpose, so that no kind passes for another.
Nothing about a token is stored: a reissue counts the entry's generation up, and every older token is dead from that commit on.

The typed-code proof is `ballot.protocol.proofs.check_typed_code` over the nonce that `typed_start` gave.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from itsdangerous import BadSignature, URLSafeSerializer
from sqlmodel import Session, select

from ballot.errors import InvalidProofError, MalformedError, TokenInvalidError, TypedCodeError
from ballot.language import phrase
from ballot.models import Election, Electorate, RollEntry, Trustee
from ballot.protocol.messages import KEY, Proof
from ballot.protocol.proofs import check_typed_code
from ballot.services.keys import Keys

VOTING_SALT: Final = "ballot.voting-token.v1"
TRUSTEE_SALT: Final = "ballot.trustee-token.v1"
NONCE_SALT: Final = "ballot.typed-nonce.v1"
NONCE_LIFE: Final = timedelta(minutes=10)
_MAX_LENGTH: Final = 1000
_NOT_VALID: Final = phrase("This link is not valid any more. Use the newest one we sent you, or ask for it again.")
_NOT_A_CODE: Final = phrase("That code does not open this ballot. Check each character, or ask for your link again.")


@dataclass(frozen=True)
class VotingToken:
    """What a voting token says; that it says so truly is checked by `read_voting_token`, that it still holds by `member_of`."""

    meeting_id: str
    handle: str
    generation: int
    expires: datetime


@dataclass(frozen=True)
class TrusteeToken:
    """What a trustee's link says: the election and the owner number 1..m."""

    election_uuid: str
    number: int
    generation: int


def make_voting_token(keys: Keys, entry: RollEntry, expires: datetime) -> str:
    """The token of this roll entry's present generation, good until `expires` (UTC)."""
    return _serializer(keys, VOTING_SALT).dumps([entry.meeting_id, entry.handle, entry.generation, int(expires.timestamp())])


def read_voting_token(keys: Keys, token: str, now: datetime) -> VotingToken:
    """What a token of ours says, before it expires; whether it was replaced since is the database's to say (`member_of`).

    Raises: TokenInvalidError.
    """
    match _load(keys, VOTING_SALT, token):
        case [str(meeting_id), str(handle), int(generation), int(expires)] if int(now.timestamp()) < expires:
            return VotingToken(meeting_id, handle, generation, datetime.fromtimestamp(expires, UTC))
    raise TokenInvalidError(_NOT_VALID)


def member_of(session: Session, token: VotingToken) -> RollEntry:
    """The roll entry whose newest link this is. Raises: TokenInvalidError: replaced, withdrawn or unknown."""
    entry = session.get(RollEntry, token.handle)
    if entry is None or entry.reason or not holds(token, entry.meeting_id, entry.generation, withdrawn=entry.withdrawn):
        raise TokenInvalidError(_NOT_VALID)
    return entry


def holds(token: VotingToken, meeting_id: str, generation: int, *, withdrawn: bool) -> bool:
    """Whether a token matches what the roll entry says now."""
    return token.meeting_id == meeting_id and token.generation == generation and not withdrawn


def not_valid() -> TokenInvalidError:
    """The one refusal of every token that does not hold."""
    return TokenInvalidError(_NOT_VALID)


# --- trustees ---------------------------------------------------------------------------------------------------


def make_trustee_token(keys: Keys, trustee: Trustee) -> str:
    """The bearer token of a trustee's mailed link; it dies when the link is sent anew."""
    return _serializer(keys, TRUSTEE_SALT).dumps([trustee.election_uuid, trustee.number, trustee.generation])


def trustee_of(session: Session, keys: Keys, token: str, election_uuid: str, number: int) -> Trustee:
    """The trustee whose newest link this is, for this election and owner number. Raises: TokenInvalidError."""
    match _load(keys, TRUSTEE_SALT, token):
        case [str(uuid), int(owner), int(generation)] if (uuid, owner) == (election_uuid, number):
            trustee = session.get(Trustee, (uuid, owner))
            if trustee is not None and trustee.generation == generation:
                return trustee
    raise TokenInvalidError(phrase("This key-holder's link is not valid any more. Ask the returning officer for a new one."))


# --- the typed code ---------------------------------------------------------------------------------------------


def typed_start(keys: Keys, election_uuid: str, credential: str, now: datetime) -> str:
    """A nonce to sign, for any election and credential: whether they exist is not told."""
    ends = int((now + NONCE_LIFE).timestamp())
    return _serializer(keys, NONCE_SALT).dumps([election_uuid, _digest(credential), ends, secrets.token_urlsafe(16)])


def typed_finish(
    session: Session,
    keys: Keys,
    *,
    election_uuid: str,
    credential: str,
    nonce: str,
    challenge: str,
    response: str,
    expires: datetime,
    now: datetime,
    half: str = "",
) -> str:
    """A voting token for the member whose code was typed. Nothing is spent or marked.

    `half` is the voting token of a link that came without the code. Where a code alone opens nothing any more, it does together
    with the newest such token of the same member.

    `credential` is the public credential in v1 text, `challenge` and `response` are decimal scalars, `expires` is the new token's end.

    Raises:
        TypedCodeError: the proof fails, the nonce is not ours or too old, nobody has this credential here, or the member's
            link was reissued (from then on only the link works, because an old mail may be in the wrong hands).
    """
    match _load(keys, NONCE_SALT, nonce):
        case [str(uuid), str(digest), int(ends), str()] if (uuid, digest) == (election_uuid, _digest(credential)) and int(
            now.timestamp()
        ) < ends:
            pass
        case _:
            raise TypedCodeError(_NOT_A_CODE)
    try:
        proof = Proof.from_json({"challenge": challenge, "response": response})
        check_typed_code(election_uuid, nonce, KEY.decode(credential), proof)
    except (MalformedError, InvalidProofError) as error:
        raise TypedCodeError(_NOT_A_CODE) from error
    entry = session.exec(
        select(RollEntry)
        .join(Electorate, Electorate.handle == RollEntry.handle)  # type: ignore[arg-type]
        .join(Election, Election.uuid == Electorate.election_uuid)  # type: ignore[arg-type]
        .where(Electorate.election_uuid == election_uuid, Electorate.credential == credential, Election.meeting_id == RollEntry.meeting_id)
    ).first()
    if entry is None or entry.withdrawn or not (entry.typed_code or _is_other_half(keys, half, entry, now)):
        raise TypedCodeError(_NOT_A_CODE)
    return make_voting_token(keys, entry, expires)


def _is_other_half(keys: Keys, half: str, entry: RollEntry, now: datetime) -> bool:
    try:
        token = read_voting_token(keys, half, now)
    except TokenInvalidError:
        return False
    return token.handle == entry.handle and holds(token, entry.meeting_id, entry.generation, withdrawn=entry.withdrawn)


def _digest(credential: str) -> str:
    return hashlib.sha256(credential.encode()).hexdigest()[:32]


def _serializer(keys: Keys, salt: str) -> URLSafeSerializer:
    return URLSafeSerializer(keys.token, salt=salt, signer_kwargs={"key_derivation": "hmac", "digest_method": hashlib.sha256})


def _load(keys: Keys, salt: str, token: str) -> Any:
    if not isinstance(token, str) or len(token) > _MAX_LENGTH:
        return None
    try:
        return _serializer(keys, salt).loads(token)
    except BadSignature:
        return None
