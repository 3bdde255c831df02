"""The messages of Belenios v1 (text section 4): one frozen dataclass each, with one encoder and one strict parser.

`T.parse(data)` accepts exactly the bytes that `T.to_bytes()` writes: compact JSON in the text's field order, no
duplicate, missing or unknown key, every point canonical and in the group, every scalar in its shortest decimal form.
Anything else is a `MalformedError`; what is well formed but outside our subset is a `NotSupportedError`.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar, Final, Literal, NoReturn, Self

from ballot.errors import MalformedError, NotSupportedError
from ballot.protocol.group import GROUP_NAME, MAX_INTS, Point, scalar_from_text

MAX_CHOICES_RANKED: Final = MAX_INTS
_MAX_INTEGER_DIGITS: Final = 15
_UUID = re.compile(r"[1-9A-HJ-NP-Za-km-z]{14,64}", re.ASCII)
_HASH = re.compile(r"[0-9a-f]{64}", re.ASCII)


# --- JSON, strictly ---------------------------------------------------------------------------------------------


def _refuse_number(text: str) -> NoReturn:
    raise MalformedError(f"{text[:20]!r} is not an integer")


def _integer(text: str) -> int:
    if len(text) > _MAX_INTEGER_DIGITS:
        raise MalformedError("an integer is too large")
    return int(text)


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) != len(pairs):
        raise MalformedError("a JSON object has the same key twice")
    return result


_DECODER: Final = json.JSONDecoder(object_pairs_hook=_object, parse_int=_integer, parse_float=_refuse_number, parse_constant=_refuse_number)


def loads(data: bytes) -> Any:
    """Parse JSON without duplicate keys, fractions or huge integers. Raises: MalformedError."""
    try:
        return _DECODER.decode(data.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise MalformedError("not JSON in UTF-8") from error


def dumps(value: Any) -> bytes:
    """Compact JSON, as the reference tool writes it: UTF-8 as it is, control characters and DEL escaped.

    Raises: MalformedError if a string holds half of a surrogate pair, which has no UTF-8.
    """
    text = json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    try:
        return text.replace("\x7f", "\\u007f").encode()
    except UnicodeEncodeError as error:
        raise MalformedError("a string is not valid Unicode") from error


def sha256_hex(data: bytes) -> str:
    """The name of an object or event in the archive (4.4)."""
    return hashlib.sha256(data).hexdigest()


def sha256_b64(data: bytes) -> str:
    """Compact Base64 of SHA-256: fingerprints (φ, 4.11) and ballot trackers (4.17)."""
    return base64.b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()


# --- codecs: how one JSON value becomes one Python value, and back -----------------------------------------------


@dataclass(frozen=True)
class Codec:
    decode: Callable[[Any], Any]
    encode: Callable[[Any], Any]


def _identity(value: Any) -> Any:
    return value


def _typed(kind: type, name: str) -> Codec:
    def decode(value: Any) -> Any:
        if type(value) is not kind:
            raise MalformedError(f"expected {name}, found {json.dumps(value)[:40]}")
        return value

    return Codec(decode, _identity)


def _matching(pattern: re.Pattern[str], name: str) -> Codec:
    def decode(value: Any) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise MalformedError(f"expected {name}, found {json.dumps(value)[:40]}")
        return value

    return Codec(decode, _identity)


def _key_from_text(value: Any) -> Point:
    point = Point.from_hex(value)
    if point.is_neutral:
        raise MalformedError("the neutral element cannot be a key, a credential or alpha")
    return point


TEXT: Final = _typed(str, "a string")
BOOLEAN: Final = _typed(bool, "true or false")
INTEGER: Final = _typed(int, "an integer")
POINT: Final = Codec(Point.from_hex, str)
KEY: Final = Codec(_key_from_text, str)  # a point that must not be the neutral element (threats 1.4)
DEFERRED: Final = Codec(Point.from_hex_deferred, str)  # a point whose membership is checked when it is first used
SCALAR: Final = Codec(scalar_from_text, str)
HASH: Final = _matching(_HASH, "a hash of 64 lower-case hexadecimal digits")
UUID: Final = _matching(_UUID, "an election identifier")


def array(item: Codec) -> Codec:
    """A JSON array of any length, as a tuple."""

    def decode(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list):
            raise MalformedError("expected an array")
        return tuple(map(item.decode, value))

    return Codec(decode, lambda values: [item.encode(v) for v in values])


def fixed(*items: Codec) -> Codec:
    """A JSON array of these items, as a tuple."""

    def decode(value: Any) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(items):
            raise MalformedError(f"expected an array of {len(items)} values")
        return tuple(item.decode(v) for item, v in zip(items, value, strict=True))

    return Codec(decode, lambda values: [item.encode(v) for item, v in zip(items, values, strict=True)])


class Message:
    """Base of the messages. `FIELDS` gives name and codec in the text's order; a name ending in `?` may be absent."""

    FIELDS: ClassVar[Mapping[str, Codec]]

    @classmethod
    def from_json(cls, value: Any) -> Self:
        if not isinstance(value, dict):
            raise MalformedError(f"{cls.__name__}: expected an object")
        arguments, seen = {}, 0
        for field, codec in cls.FIELDS.items():
            name = field.rstrip("?")
            if name in value:
                arguments[name] = codec.decode(value[name])
                seen += 1
            elif name == field:
                raise MalformedError(f"{cls.__name__}: {name!r} is missing")
        if seen != len(value):
            unknown = next(key for key in value if key not in arguments)
            raise MalformedError(f"{cls.__name__}: unknown key {unknown[:40]!r}")
        return cls(**arguments)

    def to_json(self) -> Any:
        result = {}
        for field, codec in self.FIELDS.items():
            name = field.rstrip("?")
            value = getattr(self, name)
            if name == field or value is not None:
                result[name] = codec.encode(value)
        return result

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Parse bytes that must be exactly what `to_bytes` writes. Raises: MalformedError."""
        message = cls.from_json(loads(data))
        if message.to_bytes() != data:
            raise MalformedError(f"{cls.__name__}: not in the one canonical form (spaces, key order or escapes differ)")
        # Kept beside the fields (which cannot change): a message that was parsed is not written anew to be hashed.
        object.__setattr__(message, "_parsed", data)
        return message

    def to_bytes(self) -> bytes:
        parsed: bytes | None = self.__dict__.get("_parsed")
        return dumps(self.to_json()) if parsed is None else parsed


def message(kind: type[Message]) -> Codec:
    """The codec of a message type."""
    return Codec(kind.from_json, lambda value: value.to_json())


# --- 4.3 common structures ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Proof(Message):
    """A Fiat–Shamir proof; both integers mod q."""

    challenge: int
    response: int
    FIELDS = {"challenge": SCALAR, "response": SCALAR}


@dataclass(frozen=True)
class Ciphertext(Message):
    alpha: Point
    beta: Point
    FIELDS = {"alpha": KEY, "beta": POINT}

    def __str__(self) -> str:
        """As written into hashes: alpha, comma, beta."""
        return f"{self.alpha},{self.beta}"


PROOF: Final = message(Proof)
CIPHERTEXT: Final = message(Ciphertext)


# --- 4.4 events -----------------------------------------------------------------------------------------------------

EventType = Literal["Setup", "Ballot", "EndBallots", "EncryptedTally", "Shuffle", "EndShuffles", "PartialDecryption", "Result"]
EVENT_TYPES: Final[tuple[EventType, ...]] = EventType.__args__  # type: ignore[attr-defined]


def _event_type(value: Any) -> EventType:
    if value not in EVENT_TYPES:
        raise MalformedError(f"unknown event type {json.dumps(value)[:40]}")
    return value  # type: ignore[no-any-return]


@dataclass(frozen=True)
class Event(Message):
    """One link of the hash chain; `parent` and `payload` are SHA-256 in hexadecimal."""

    height: int
    type: EventType
    parent: str | None = None
    payload: str | None = None
    FIELDS = {"parent?": HASH, "height": INTEGER, "type": Codec(_event_type, _identity), "payload?": HASH}

    @property
    def hash(self) -> str:
        return sha256_hex(self.to_bytes())


@dataclass(frozen=True)
class Owned(Message):
    """`owned_shuffle` (4.19) and `owned_partial_decryption` (4.20): a payload's hash and its trustee, from 1."""

    owner: int
    payload: str
    FIELDS = {"owner": INTEGER, "payload": HASH}


# --- 4.5, 4.6 trustees ------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class TrusteePublicKey(Message):
    pok: Proof
    public_key: Point
    signature: Proof | None = None
    name: str | None = None  # written by the reference tool, not in the text
    FIELDS = {"pok": PROOF, "public_key": KEY, "signature?": PROOF, "name?": TEXT}


@dataclass(frozen=True)
class SignedMsg(Message):
    message: str
    signature: Proof
    FIELDS = {"message": TEXT, "signature": PROOF}


@dataclass(frozen=True)
class EncryptedMsg(Message):
    alpha: Point
    beta: Point
    data: str
    algorithm: str | None = None
    FIELDS = {"algorithm?": TEXT, "alpha": POINT, "beta": POINT, "data": TEXT}


@dataclass(frozen=True)
class ChannelMsg(Message):
    recipient: Point
    message: str
    FIELDS = {"recipient": KEY, "message": TEXT}


@dataclass(frozen=True)
class Context(Message):
    group: str
    size: int
    threshold: int
    index: int
    FIELDS = {"group": TEXT, "size": INTEGER, "threshold": INTEGER, "index": INTEGER}


@dataclass(frozen=True)
class CertKeys(Message):
    context: Context
    verification: Point
    encryption: Point
    FIELDS = {"context": message(Context), "verification": KEY, "encryption": KEY}


@dataclass(frozen=True)
class RawPolynomial(Message):
    polynomial: tuple[int, ...]
    FIELDS = {"polynomial": array(SCALAR)}


@dataclass(frozen=True)
class RawCoefexps(Message):
    coefexps: tuple[Point, ...]
    FIELDS = {"coefexps": array(POINT)}


@dataclass(frozen=True)
class Certs(Message):
    certs: tuple[SignedMsg, ...]
    coefexps: tuple[Point, ...]
    FIELDS = {"certs": array(message(SignedMsg)), "coefexps": array(POINT)}


@dataclass(frozen=True)
class Secret(Message):
    secret: int
    FIELDS = {"secret": SCALAR}


@dataclass(frozen=True)
class Polynomial(Message):
    polynomial: str
    secrets: tuple[str, ...]
    coefexps: SignedMsg
    signature: Proof
    FIELDS = {"polynomial": TEXT, "secrets": array(TEXT), "coefexps": message(SignedMsg), "signature": PROOF}


@dataclass(frozen=True)
class Vinput(Message):
    polynomial: str
    secrets: tuple[str, ...]
    coefexps: tuple[SignedMsg, ...]
    signatures: tuple[Proof, ...]
    FIELDS = {
        "polynomial": TEXT,
        "secrets": array(TEXT),
        "coefexps": array(message(SignedMsg)),
        "signatures": array(PROOF),
    }


@dataclass(frozen=True)
class PartialDecryptionKey(Message):
    decryption_key: int
    FIELDS = {"decryption_key": SCALAR}


@dataclass(frozen=True)
class Voutput(Message):
    private_key: str
    public_key: TrusteePublicKey
    FIELDS = {"private_key": TEXT, "public_key": message(TrusteePublicKey)}


@dataclass(frozen=True)
class ThresholdParameters(Message):
    threshold: int
    certs: tuple[SignedMsg, ...]
    coefexps: tuple[SignedMsg, ...]
    signatures: tuple[Proof, ...]
    verification_keys: tuple[TrusteePublicKey, ...]
    FIELDS = {
        "threshold": INTEGER,
        "certs": array(message(SignedMsg)),
        "coefexps": array(message(SignedMsg)),
        "signatures": array(PROOF),
        "verification_keys": array(message(TrusteePublicKey)),
    }


TrusteeKind = TrusteePublicKey | ThresholdParameters


@dataclass(frozen=True)
class Trustees(Message):
    """The keys that open an election: each item a Single trustee's key or a Pedersen group's parameters."""

    items: tuple[TrusteeKind, ...]

    @classmethod
    def from_json(cls, value: Any) -> Self:
        if not isinstance(value, list):
            raise MalformedError("trustees: expected an array")
        return cls(tuple(cls._item(item) for item in value))

    @staticmethod
    def _item(item: Any) -> TrusteeKind:
        match item:
            case ["Single", key]:
                return TrusteePublicKey.from_json(key)
            case ["Pedersen", parameters]:
                return ThresholdParameters.from_json(parameters)
            case _:
                raise MalformedError('trustees: expected ["Single", …] or ["Pedersen", …]')

    def to_json(self) -> Any:
        return [["Single" if isinstance(i, TrusteePublicKey) else "Pedersen", i.to_json()] for i in self.items]


# --- 4.8 credentials --------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class PublicCredentials(Message):
    """The frozen list: each entry a public credential, perhaps followed by commas, a weight and a name of the entry."""

    entries: tuple[str, ...]

    @classmethod
    def from_points(cls, points: list[Point]) -> PublicCredentials:
        return cls(tuple(sorted(map(str, points))))

    @classmethod
    def from_json(cls, value: Any) -> Self:
        return cls(array(TEXT).decode(value))

    def to_json(self) -> Any:
        return list(self.entries)

    @cached_property
    def points(self) -> tuple[Point, ...]:
        """The credentials, in the list's order.

        Raises: MalformedError for an entry that is not a credential or appears twice, NotSupportedError for a weight.
        """
        points = []
        for entry in self.entries:
            credential, *rest = entry.split(",")
            if rest and rest[0] not in ("", "1"):
                raise NotSupportedError("voters with weights are not supported")
            points.append(_key_from_text(credential))
        if len(set(points)) != len(points):
            raise MalformedError("a public credential appears twice")
        return tuple(points)


# --- 4.9, 4.10 questions and election ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class QuestionH(Message):
    """Homomorphic: choose `min` to `max` answers, or none of them where `blank` is true."""

    answers: tuple[str, ...]
    min: int
    max: int
    question: str
    blank: bool | None = None
    FIELDS = {"answers": array(TEXT), "blank?": BOOLEAN, "min": INTEGER, "max": INTEGER, "question": TEXT}

    @property
    def length(self) -> int:
        """Number of ciphertexts: one an answer, and one ahead of them where blank is allowed."""
        return len(self.answers) + bool(self.blank)


@dataclass(frozen=True)
class QuestionNH(Message):
    """NonHomomorphic: a number for each answer (here: its rank, 0 for none), all in one ciphertext."""

    answers: tuple[str, ...]
    question: str
    extra: Any = None
    FIELDS = {"answers": array(TEXT), "question": TEXT}

    def to_json(self) -> Any:
        outer = {"type": "NonHomomorphic", "value": super().to_json()}
        return outer if self.extra is None else {**outer, "extra": self.extra}


Question = QuestionH | QuestionNH


def _question(value: Any) -> Question:
    if not isinstance(value, dict) or "type" not in value:
        question = QuestionH.from_json(value)
        if not 0 <= question.min <= question.max <= len(question.answers):
            raise MalformedError("a question's minimum and maximum do not fit its answers")
        return question
    if value["type"] == "Lists":
        raise NotSupportedError("questions of type Lists are not supported")
    if value["type"] != "NonHomomorphic" or not {"type", "value"} <= value.keys() <= {"type", "value", "extra"}:
        raise MalformedError("a question is of an unknown kind")
    inner = QuestionNH.from_json(value["value"])
    if len(inner.answers) > MAX_CHOICES_RANKED:
        raise MalformedError(f"a ranked question has more than {MAX_CHOICES_RANKED} choices")
    return QuestionNH(inner.answers, inner.question, value.get("extra"))


QUESTION: Final = Codec(_question, lambda q: q.to_json())


@dataclass(frozen=True)
class Election(Message):
    """All that a ballot depends on; `fingerprint` is φ of 4.11."""

    version: int
    description: str
    name: str
    group: str
    public_key: Point
    questions: tuple[Question, ...]
    uuid: str
    administrator: str | None = None
    credential_authority: str | None = None
    FIELDS = {
        "version": INTEGER,
        "description": TEXT,
        "name": TEXT,
        "group": TEXT,
        "public_key": KEY,
        "questions": array(QUESTION),
        "uuid": UUID,
        "administrator?": TEXT,
        "credential_authority?": TEXT,
    }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        # Version and group come first: everything else is read by their rules (threats 2, "group chosen by attacker").
        if isinstance(value, dict):
            if value.get("version") != 1:
                raise NotSupportedError("only version 1 of the protocol is supported")
            if value.get("group") != GROUP_NAME:
                raise NotSupportedError(f"only the group {GROUP_NAME} is supported")
            if "language" in value:
                raise NotSupportedError("elections that name a language are not supported")
        return super().from_json(value)

    @cached_property
    def fingerprint(self) -> str:
        return sha256_b64(self.to_bytes())


@dataclass(frozen=True)
class SetupData(Message):
    election: str
    trustees: str
    credentials: str
    FIELDS = {"election": HASH, "trustees": HASH, "credentials": HASH}

    @classmethod
    def from_json(cls, value: Any) -> Self:
        if isinstance(value, dict) and "credentials_certificate" in value:
            raise NotSupportedError("credential certificates are not supported")
        return super().from_json(value)


# --- 4.11, 4.16, 4.17 answers, signatures, ballots ----------------------------------------------------------------------


@dataclass(frozen=True)
class AnswerH(Message):
    choices: tuple[Ciphertext, ...]
    individual_proofs: tuple[tuple[Proof, ...], ...]
    overall_proof: tuple[Proof, ...]
    blank_proof: tuple[Proof, Proof] | None = None
    FIELDS = {
        "choices": array(CIPHERTEXT),
        "individual_proofs": array(array(PROOF)),
        "overall_proof": array(PROOF),
        "blank_proof?": fixed(PROOF, PROOF),
    }


@dataclass(frozen=True)
class AnswerNH(Message):
    choices: Ciphertext
    proof: Proof
    FIELDS = {"choices": CIPHERTEXT, "proof": PROOF}


Answer = AnswerH | AnswerNH


def _answer(value: Any) -> Answer:
    # An answer does not name its type: a ranked one has a single ciphertext where the other has an array.
    if isinstance(value, dict) and isinstance(value.get("choices"), dict):
        return AnswerNH.from_json(value)
    return AnswerH.from_json(value)


@dataclass(frozen=True)
class Signature(Message):
    hash: str
    proof: Proof
    FIELDS = {"hash": TEXT, "proof": PROOF}


@dataclass(frozen=True)
class Ballot(Message):
    election_uuid: str
    election_hash: str
    credential: Point
    answers: tuple[Answer, ...]
    signature: Signature | None
    FIELDS = {
        "election_uuid": UUID,
        "election_hash": TEXT,
        "credential": KEY,
        "answers": array(Codec(_answer, lambda a: a.to_json())),
        "signature?": message(Signature),
    }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        if isinstance(value, dict) and "signature" not in value:
            raise MalformedError("Ballot: 'signature' is missing")
        return super().from_json(value)


# --- 4.18 to 4.21 tally -------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class EncryptedTally(Message):
    """Ciphertexts by [question][answer], or [question][ballot] for a ranked question."""

    ciphertexts: tuple[tuple[Ciphertext, ...], ...]

    _CODEC: ClassVar[Codec] = array(array(CIPHERTEXT))

    @classmethod
    def from_json(cls, value: Any) -> Self:
        return cls(cls._CODEC.decode(value))

    def to_json(self) -> Any:
        return self._CODEC.encode(self.ciphertexts)


@dataclass(frozen=True)
class SizedEncryptedTally(Message):
    num_tallied: int
    total_weight: int
    encrypted_tally: str
    FIELDS = {"num_tallied": INTEGER, "total_weight": INTEGER, "encrypted_tally": HASH}


def _shuffle_proof_codec(point: Codec) -> Codec:
    return fixed(
        fixed(point, point, point, fixed(point, point), array(point)),
        fixed(SCALAR, SCALAR, SCALAR, SCALAR, array(SCALAR), array(SCALAR)),
        array(point),
        array(point),
    )


@dataclass(frozen=True)
class ShuffleProof(Message):
    """The tuple (t, s, c, ĉ) of table 8: commitments, responses, permutation commitment, chained challenges."""

    t: tuple[Point, Point, Point, tuple[Point, Point], tuple[Point, ...]]
    s: tuple[int, int, int, int, tuple[int, ...], tuple[int, ...]]
    c: tuple[Point, ...]
    c_hat: tuple[Point, ...]

    _CODEC: ClassVar[Codec] = _shuffle_proof_codec(POINT)

    @classmethod
    def from_json(cls, value: Any) -> Self:
        return cls(*cls._CODEC.decode(value))

    def to_json(self) -> Any:
        return self._CODEC.encode((self.t, self.s, self.c, self.c_hat))


@dataclass(frozen=True)
class Shuffle(Message):
    """One trustee's shuffle of every ranked question: ciphertexts by [ranked question][position]."""

    ciphertexts: tuple[tuple[Ciphertext, ...], ...]
    proofs: tuple[ShuffleProof, ...]
    FIELDS = {"ciphertexts": array(array(CIPHERTEXT)), "proofs": array(message(ShuffleProof))}


class DeferredShuffle(Shuffle):
    """A shuffle whose points' membership is checked when they are first used; for `shuffles_hold`, which uses all of them."""

    @staticmethod
    def _ciphertext(value: Any) -> Ciphertext:
        pair = _DeferredCiphertext.from_json(value)
        if pair.alpha.is_neutral:
            raise MalformedError("the neutral element cannot be alpha")
        return Ciphertext(pair.alpha, pair.beta)

    @staticmethod
    def _proof(value: Any) -> ShuffleProof:
        return ShuffleProof(*_DEFERRED_PROOF.decode(value))


@dataclass(frozen=True)
class _DeferredCiphertext(Message):
    alpha: Point
    beta: Point
    FIELDS = {"alpha": DEFERRED, "beta": DEFERRED}


_DEFERRED_PROOF: Final = _shuffle_proof_codec(DEFERRED)
DeferredShuffle.FIELDS = {
    "ciphertexts": array(array(Codec(DeferredShuffle._ciphertext, CIPHERTEXT.encode))),
    "proofs": array(Codec(DeferredShuffle._proof, lambda proof: proof.to_json())),
}


class DeferredTally(EncryptedTally):
    """An encrypted tally that was checked before: its points' membership is looked at again when they are first used."""

    _CODEC: ClassVar[Codec] = array(array(Codec(DeferredShuffle._ciphertext, CIPHERTEXT.encode)))


@dataclass(frozen=True)
class PartialDecryption(Message):
    """One trustee's factors alpha^x and their proofs, in the encrypted tally's shape."""

    decryption_factors: tuple[tuple[Point, ...], ...]
    decryption_proofs: tuple[tuple[Proof, ...], ...]
    FIELDS = {"decryption_factors": array(array(POINT)), "decryption_proofs": array(array(PROOF))}


@dataclass(frozen=True)
class Result(Message):
    """By question: totals of a homomorphic one, or the list of numbers [ballot][answer] of a ranked one."""

    result: tuple[tuple[int, ...] | tuple[tuple[int, ...], ...], ...]

    @staticmethod
    def _decode(value: Any) -> Any:
        if isinstance(value, list) and value and isinstance(value[0], list):
            if all(type(row) is list and all(type(item) is int for item in row) for row in value):  # very many; the same, but quick
                return tuple(map(tuple, value))
            return array(array(INTEGER)).decode(value)
        return array(INTEGER).decode(value)

    @staticmethod
    def _encode(value: Any) -> Any:
        return [list(item) if isinstance(item, tuple) else item for item in value]


Result.FIELDS = {"result": array(Codec(Result._decode, Result._encode))}


# --- companion decryption proofs (not of v1: published beside the archive as `<uuid>.companion.json`) --------------------


@dataclass(frozen=True)
class Companion(Message):
    """One trustee's companion proofs: [question][answer or position], one for each factor of their partial decryption.

    `fingerprint` is the election's, `partial_decryption` the hash of the object that the factors stand in.
    """

    version: int
    election: str
    fingerprint: str
    owner: int
    partial_decryption: str
    proofs: tuple[tuple[Proof, ...], ...]
    FIELDS = {
        "version": INTEGER,
        "election": UUID,
        "fingerprint": TEXT,
        "owner": INTEGER,
        "partial_decryption": HASH,
        "proofs": array(array(PROOF)),
    }

    @classmethod
    def from_json(cls, value: Any) -> Self:
        if isinstance(value, dict) and value.get("version") != 1:
            raise NotSupportedError("only version 1 of the companion proofs is supported")
        return super().from_json(value)


@dataclass(frozen=True)
class CompanionFile(Message):
    """The whole companion file: a JSON array with the proofs of each trustee who opened a share, by owner, each once."""

    companions: tuple[Companion, ...]

    @classmethod
    def from_json(cls, value: Any) -> Self:
        companions = array(message(Companion)).decode(value)
        owners = [companion.owner for companion in companions]
        if owners != sorted(set(owners)):
            raise MalformedError("companion proofs must stand in the order of their owners, each owner once")
        return cls(companions)

    def to_json(self) -> Any:
        return [companion.to_json() for companion in self.companions]
