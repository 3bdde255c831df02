"""Every case of tests/vectors/keyholders.json, which another language can read as well."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ballot import errors
from ballot.protocol import trustees
from ballot.protocol.companion import check_companion, gen_companion
from ballot.protocol.decryption import check_partial_decryption, combine_factors, gen_partial_decryption, lagrange
from ballot.protocol.group import Point, SeededRng
from ballot.protocol.messages import Companion, Election, EncryptedTally, PartialDecryption, Shuffle, SignedMsg, TrusteePublicKey
from ballot.protocol.result import compute_result
from ballot.protocol.shuffle import check_shuffle, shuffle_tally
from ballot.protocol.trustees import ElectionKeys, PkiKeys, VerificationKey
from tests.vectors.make import FOLDER

Input = dict[str, Any]


def _rng(given: Input) -> SeededRng:
    return SeededRng(given["seed"].encode())


def _election(given: Input) -> Election:
    return Election.parse(given["election"].encode())


def _tally(given: Input) -> EncryptedTally:
    return EncryptedTally.parse(given["tally"].encode())


def _share(given: Input) -> PartialDecryption:
    return PartialDecryption.parse(given["share"].encode())


def _key(given: Input) -> Point:
    return Point.from_hex(given["public_key"])


def _pki(given: Input) -> Input:
    keys = PkiKeys.from_seed(given["secret_seed"])
    return {"verification": str(keys.verification), "encryption": str(keys.encryption)}


def _certificate(given: Input) -> str:
    place = {name: given[name] for name in ("index", "threshold", "size")}
    return trustees.make_certificate(PkiKeys.from_seed(given["secret_seed"]), **place, rng=_rng(given)).to_bytes().decode()


def _check_certificate(given: Input) -> None:
    place = {name: given[name] for name in ("index", "threshold", "size")}
    trustees.check_certificate(SignedMsg.parse(given["certificate"].encode()), **place)


def _companion(given: Input) -> str:
    made = gen_companion(
        _election(given), _tally(given), int(given["private_key"]), _share(given), _rng(given), owner=given["owner"]
    )
    return made.to_bytes().decode()


def _check_companion(given: Input) -> None:
    proofs = Companion.parse(given["companion"].encode())
    check_companion(_election(given), _tally(given), _key(given), _share(given), proofs, owner=given["owner"])


def _check_share(given: Input) -> None:
    check_partial_decryption(_election(given).fingerprint, _tally(given), _key(given), _share(given), owner=given["owner"])


def _result(given: Input) -> Any:
    election, tally, key = _election(given), _tally(given), _key(given)
    keys = ElectionKeys(key, (VerificationKey(1, key, 0, 0),), (None,))
    factors = combine_factors(keys, tally, {1: _share(given)})
    return compute_result(election, tally, factors, 3).to_json()


OPERATIONS: dict[str, Callable[[Input], Any]] = {
    "make_public_key": lambda given: trustees.make_public_key(int(given["private_key"]), _rng(given)).to_bytes().decode(),
    "check_public_key": lambda given: trustees.check_public_key(TrusteePublicKey.parse(given["public_key"].encode()), owner=1),
    "pki": _pki,
    "make_certificate": _certificate,
    "check_certificate": _check_certificate,
    "seal": lambda given: trustees.encrypt_message(Point.from_hex(given["recipient"]), given["text"], _rng(given)),
    "open": lambda given: trustees.decrypt_message(PkiKeys.from_seed(given["secret_seed"]).decryption, given["sealed"]),
    "lagrange": lambda given: [str(lagrange(given["indices"], i)) for i in given["indices"]],
    "shuffle": lambda given: shuffle_tally(_election(given), _tally(given), _rng(given)).to_bytes().decode(),
    "check_shuffle": lambda given: check_shuffle(_election(given), _tally(given), Shuffle.parse(given["shuffle"].encode())),
    "decrypt": lambda given: (
        gen_partial_decryption(_election(given).fingerprint, _tally(given), int(given["private_key"]), _rng(given)).to_bytes().decode()
    ),
    "check_share": _check_share,
    "companion": _companion,
    "check_companion": _check_companion,
    "result": _result,
}


def _cases(kind: str) -> list[Any]:
    cases = json.loads((FOLDER / "keyholders.json").read_text(encoding="utf-8"))[kind]
    return [pytest.param(case, id=case["name"]) for case in cases]


@pytest.mark.parametrize("case", _cases("valid"))
def test_a_valid_vector_gives_what_it_says(case: Input) -> None:
    assert case["expected"] == OPERATIONS[case["input"]["operation"]](case["input"])


@pytest.mark.parametrize("case", _cases("failing"))
def test_a_failing_vector_gives_the_error_it_names(case: Input) -> None:
    with pytest.raises(errors.BallotError) as caught:
        OPERATIONS[case["input"]["operation"]](case["input"])
    assert case["error"] == type(caught.value).__name__
