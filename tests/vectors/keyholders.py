"""The vectors of key-holders' work: ceremony, shuffle, decryption, companion proofs, result. `make.py` writes them."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from ballot.protocol import companion, decryption, shuffle, trustees
from ballot.protocol.elgamal import encrypt, encrypt_integer
from ballot.protocol.group import GROUP_NAME, G, Q, SeededRng, of_ints
from ballot.protocol.messages import (
    Election,
    EncryptedTally,
    PartialDecryption,
    Proof,
    QuestionH,
    QuestionNH,
    Shuffle,
    SignedMsg,
    TrusteePublicKey,
)

SOURCE = "ballot, python -m tests.vectors.make"
KEY = 0x1234567890ABCDEF << 128
SEED = "1BaLLotVectorSeed11111"
Case = dict[str, Any]


def _election() -> Election:
    questions = (QuestionH(("For", "Against"), 1, 1, "Shall we?"), QuestionNH(("Ann", "Bob", "Cyd"), "In which order?"))
    return Election(1, "Nothing.", "Vectors", GROUP_NAME, G**KEY, questions, "11VectorsABCDE")


def _tally(election: Election) -> EncryptedTally:
    rng, key = SeededRng(b"tally"), election.public_key
    totals = tuple(encrypt_integer(key, n, rng.scalar()) for n in (2, 1))
    rankings = tuple(encrypt(key, of_ints(values), rng.scalar()) for values in ([1, 2, 3], [0, 1, 0], [0, 0, 0]))
    return EncryptedTally((totals, rankings))


def _text(message: Any) -> str:
    return str(message.to_bytes().decode())


def build() -> dict[str, Any]:
    """Valid and failing cases; each operation is in `tests/protocol/test_keyholder_vectors.py`."""
    election = _election()
    tally = _tally(election)
    public_key = trustees.make_public_key(KEY, SeededRng(b"possession"))
    keys = trustees.PkiKeys.from_seed(SEED)
    certificate = trustees.make_certificate(keys, index=1, threshold=1, size=2, rng=SeededRng(b"certificate"))
    sealed = trustees.encrypt_message(keys.encryption, "a text", SeededRng(b"seal"))
    mixed = shuffle.shuffle_tally(election, tally, SeededRng(b"shuffle"))
    share = decryption.gen_partial_decryption(election.fingerprint, tally, KEY, SeededRng(b"share"))
    proofs = companion.gen_companion(election, tally, KEY, share, SeededRng(b"companion"), owner=1)
    board = {"election": _text(election), "tally": _text(tally)}
    own = {**board, "public_key": str(G**KEY), "owner": 1, "share": _text(share)}
    valid: list[Case] = [
        {"name": "public key", "input": {"operation": "make_public_key", "private_key": str(KEY), "seed": "possession"},
         "expected": _text(public_key)},
        {"name": "ceremony keys", "input": {"operation": "pki", "secret_seed": SEED},
         "expected": {"verification": str(keys.verification), "encryption": str(keys.encryption)}},
        {"name": "certificate", "expected": _text(certificate), "input": {
            "operation": "make_certificate", "secret_seed": SEED, "index": 1, "threshold": 1, "size": 2, "seed": "certificate"}},
        {"name": "sealed message", "expected": sealed, "input": {
            "operation": "seal", "recipient": str(keys.encryption), "text": "a text", "seed": "seal"}},
        {"name": "opened message", "expected": "a text", "input": {"operation": "open", "secret_seed": SEED, "sealed": sealed}},
        {"name": "Lagrange coefficients of 1 and 3", "expected": [str(decryption.lagrange([1, 3], i)) for i in (1, 3)],
         "input": {"operation": "lagrange", "indices": [1, 3]}},
        {"name": "shuffle", "input": {"operation": "shuffle", **board, "seed": "shuffle"}, "expected": _text(mixed)},
        {"name": "shuffle checks", "input": {"operation": "check_shuffle", **board, "shuffle": _text(mixed)}, "expected": None},
        {"name": "partial decryption", "expected": _text(share), "input": {
            "operation": "decrypt", **board, "private_key": str(KEY), "seed": "share"}},
        {"name": "partial decryption checks", "input": {"operation": "check_share", **own}, "expected": None},
        {"name": "companion proofs", "expected": _text(proofs), "input": {
            "operation": "companion", **own, "private_key": str(KEY), "seed": "companion"}},
        {"name": "companion proofs check", "input": {"operation": "check_companion", **own, "companion": _text(proofs)}, "expected": None},
        {"name": "result", "expected": {"result": [[2, 1], [[1, 2, 3], [0, 1, 0], [0, 0, 0]]]}, "input": {"operation": "result", **own}},
    ]
    return {"source": SOURCE, "valid": valid, "failing": _failing(own, sealed, certificate, public_key, mixed, share, proofs)}


def _failing(
    own: Case, sealed: str, certificate: SignedMsg, key: TrusteePublicKey, mixed: Shuffle, share: PartialDecryption, proofs: Any
) -> list[Case]:
    def bent(proof: Proof) -> Proof:
        return Proof(proof.challenge, (proof.response + 1) % Q)

    (row,), (proof,) = mixed.ciphertexts, mixed.proofs
    swapped = Shuffle(((row[1], row[0], *row[2:]),), mixed.proofs)
    repeated = Shuffle(((row[0], row[0], *row[2:]),), mixed.proofs)
    other_t = Shuffle(mixed.ciphertexts, (replace(proof, t=(proof.t[0] * G, *proof.t[1:])),))
    factors, v1 = share.decryption_factors, share.decryption_proofs
    other_factor = replace(share, decryption_factors=((factors[0][0] * G, *factors[0][1:]), factors[1]))
    other_proof = replace(share, decryption_proofs=((bent(v1[0][0]), *v1[0][1:]), v1[1]))
    exchanged = replace(proofs, proofs=((proofs.proofs[0][1], proofs.proofs[0][0]), proofs.proofs[1]))
    board = {name: own[name] for name in ("election", "tally")}

    def case(name: str, error: str, operation: str, **given: Any) -> Case:
        return {"name": name, "input": {"operation": operation, **given}, "error": error}

    def share_case(name: str, error: str, text: str) -> Case:
        return case(name, error, "check_share", **{**own, "share": text})

    def companion_case(name: str, error: str, text: str) -> Case:
        return case(name, error, "check_companion", **own, companion=text)

    return [
        case("public key with another response", "InvalidTrusteeError", "check_public_key",
             public_key=_text(replace(key, pok=bent(key.pok)))),
        case("public key of somebody else with this proof", "InvalidTrusteeError", "check_public_key",
             public_key=_text(replace(key, public_key=key.public_key * G))),
        case("seed of 21 characters", "MalformedError", "pki", secret_seed=SEED[:-1]),
        case("seed with a zero", "MalformedError", "pki", secret_seed="0" + SEED[1:]),
        case("certificate for another place", "InvalidTrusteeError", "check_certificate",
             certificate=_text(certificate), index=2, threshold=1, size=2),
        case("certificate with another signature", "InvalidTrusteeError", "check_certificate",
             certificate=_text(replace(certificate, signature=bent(certificate.signature))), index=1, threshold=1, size=2),
        case("message sealed to somebody else", "MalformedError", "open", secret_seed="2" * 22, sealed=sealed),
        case("message with a changed end", "MalformedError", "open", secret_seed=SEED, sealed=sealed[:-4] + "00\"}"),
        case("shuffle with two places exchanged", "InvalidShuffleError", "check_shuffle", **board, shuffle=_text(swapped)),
        case("shuffle with a ciphertext twice", "InvalidShuffleError", "check_shuffle", **board, shuffle=_text(repeated)),
        case("shuffle with another commitment", "InvalidShuffleError", "check_shuffle", **board, shuffle=_text(other_t)),
        case("shuffle without proof", "InvalidShuffleError", "check_shuffle", **board, shuffle=_text(Shuffle(mixed.ciphertexts, ()))),
        share_case("partial decryption with another factor", "InvalidPartialDecryptionError", _text(other_factor)),
        share_case("partial decryption with another response", "InvalidPartialDecryptionError", _text(other_proof)),
        share_case("partial decryption of another shape", "MalformedError", _text(PartialDecryption(factors[:1], v1[:1]))),
        companion_case("companion proofs exchanged", "InvalidCompanionError", _text(exchanged)),
        companion_case("companion proofs of another owner", "MalformedError", _text(replace(proofs, owner=2))),
        companion_case("companion proofs of another share", "MalformedError", _text(replace(proofs, partial_decryption="0" * 64))),
        companion_case("companion proofs of another election", "MalformedError", _text(replace(proofs, fingerprint="another"))),
        companion_case("companion proofs of another version", "NotSupportedError", _text(replace(proofs, version=2))),
    ]
