"""Every case of tests/vectors/*.json, and that the files are what the code makes."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from ballot import errors
from ballot.protocol import credentials, elgamal, proofs
from ballot.protocol.ballots import ballot_hash, check_ballot, create_ballot, tracker
from ballot.protocol.group import G, Point, SeededRng, get_generator, hash_to_scalar, of_ints, scalar_from_text
from ballot.protocol.messages import Ballot, Ciphertext, Election, Proof
from tests.vectors.make import FOLDER, as_text, build

Input = dict[str, Any]
FILES = ("group", "credentials", "proofs", "ballots", "belenios_tool")


def _rng(given: Input) -> SeededRng:
    return SeededRng(given["seed"].encode())


def _group_operations() -> dict[str, Callable[[Input], Any]]:
    point = Point.from_hex

    def seeded(given: Input) -> list[str]:
        rng = _rng(given)
        return [str(rng.scalar()) for _ in range(given["count"])]

    return {
        "point": lambda given: str(point(given["text"])),
        "scalar": lambda given: str(scalar_from_text(given["text"])),
        "power": lambda given: str(point(given["base"]) ** int(given["exponent"])),
        "times": lambda given: str(point(given["left"]) * point(given["right"])),
        "over": lambda given: str(point(given["left"]) / point(given["right"])),
        "hash_to_scalar": lambda given: str(hash_to_scalar(given["text"])),
        "of_ints": lambda given: str(of_ints(given["values"])),
        "get_generator": lambda given: str(get_generator(given["index"])),
        "seeded": seeded,
    }


def _derive(given: Input) -> dict[str, str]:
    secret, public = credentials.derive_credential(given["uuid"], given["code"])
    return {"secret": str(secret), "public": str(public)}


def _iprove(given: Input) -> Input:
    rng = _rng(given)
    r, values, key = rng.scalar(), given["values"], Point.from_hex(given["key"])
    ciphertext = elgamal.encrypt_integer(key, values[given["index"]], r)
    parts = proofs.iprove(given["S"], key, ciphertext, r, given["index"], values, rng)
    proofs.check_iproof(given["S"], key, ciphertext, values, parts)
    return {"ciphertext": ciphertext.to_json(), "proofs": [proof.to_json() for proof in parts]}


def _check_iproof(given: Input) -> None:
    parts = [Proof.from_json(proof) for proof in given["proofs"]]
    ciphertext = Ciphertext.from_json(given["ciphertext"])
    proofs.check_iproof(given["S"], Point.from_hex(given["key"]), ciphertext, given["values"], parts)


def _prove_possession(given: Input) -> Input:
    rng = _rng(given)
    x = rng.scalar()
    pok = proofs.prove_possession(x, rng)
    proofs.check_possession(G**x, pok)
    return {"public_key": str(G**x), "pok": pok.to_json()}


def _prove_typed_code(given: Input) -> Input:
    rng = _rng(given)
    x = rng.scalar()
    proof = proofs.prove_typed_code(given["uuid"], given["nonce"], x, rng)
    proofs.check_typed_code(given["uuid"], given["nonce"], G**x, proof)
    return {"credential": str(G**x), "proof": proof.to_json()}


def _check_typed_code(given: Input) -> None:
    credential = Point.from_hex(given["credential"])
    proofs.check_typed_code(given["uuid"], given["nonce"], credential, Proof.from_json(given["proof"]))


def _create(given: Input) -> Input:
    election = Election.parse(given["election"].encode())
    ballot = create_ballot(election, given["code"], given["choices"], _rng(given))
    check_ballot(election, ballot, {credentials.public(election.uuid, given["code"])})
    data = ballot.to_bytes()
    check_ballot(election, Ballot.parse(data), None)
    return {"ballot": data.decode(), "hash": ballot_hash(ballot), "tracker": tracker(data)}


def _check(given: Input) -> Input:
    election = Election.parse(given["election"].encode())
    data = given["ballot"].encode()
    listed = given["credentials"] if "credentials" in given else [str(credentials.public(election.uuid, given["code"]))]
    check_ballot(election, Ballot.parse(data), {Point.from_hex(text) for text in listed})
    return {"tracker": tracker(data)}


OPERATIONS: dict[str, Callable[[Input], Any]] = {
    **_group_operations(),
    "derive": _derive,
    "public": lambda given: str(credentials.public(given["uuid"], given["code"])),
    "parse": lambda given: credentials.parse_code(given["text"]),
    "derive_code": lambda given: credentials.derive_code(bytes.fromhex(given["key"]), given["meeting"], given["handle"]),
    "iprove": _iprove,
    "check_iproof": _check_iproof,
    "prove_possession": _prove_possession,
    "check_possession": lambda given: proofs.check_possession(Point.from_hex(given["public_key"]), Proof.from_json(given["pok"])),
    "prove_typed_code": _prove_typed_code,
    "check_typed_code": _check_typed_code,
    "create": _create,
    "check": _check,
}


def _cases(kind: str) -> list[Any]:
    files = {name: json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))[kind] for name in FILES}
    return [
        pytest.param(case, id=f"{name}: {case['name'].encode('ascii', 'replace').decode()}")
        for name, cases in files.items()
        for case in cases
    ]


@pytest.mark.parametrize("case", _cases("valid"))
def test_a_valid_vector_gives_what_it_says(case: Input) -> None:
    assert case["expected"] == OPERATIONS[case["input"]["operation"]](case["input"])


@pytest.mark.parametrize("case", _cases("failing"))
def test_a_failing_vector_gives_the_error_it_names(case: Input) -> None:
    with pytest.raises(errors.BallotError) as caught:
        OPERATIONS[case["input"]["operation"]](case["input"])
    assert case["error"] == type(caught.value).__name__
    assert str(caught.value)


def test_the_files_are_what_the_code_makes() -> None:
    """After a wanted change: python -m tests.vectors.make, and read the difference."""
    for name, vectors in build().items():
        assert as_text(vectors) == (FOLDER / f"{name}.json").read_text(encoding="utf-8"), name
