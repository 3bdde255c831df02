"""Write the test vectors again: `python -m tests.vectors.make`, and with `--belenios-tool PATH` those of the reference tool too."""

from __future__ import annotations

import argparse
import json
import subprocess
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

from ballot.protocol import credentials, elgamal, proofs
from ballot.protocol.archive import ArchiveWriter
from ballot.protocol.ballots import ballot_hash, create_ballot, tracker
from ballot.protocol.group import ONE, G, Q, SeededRng, get_generator, hash_to_scalar, of_ints
from ballot.protocol.messages import (
    AnswerH,
    AnswerNH,
    Ballot,
    Ciphertext,
    Election,
    Proof,
    PublicCredentials,
    QuestionH,
    QuestionNH,
    SetupData,
    Signature,
    TrusteePublicKey,
    Trustees,
)
from tests.vectors import keyholders

FOLDER = Path(__file__).parent
OURS = "ballot, python -m tests.vectors.make"
UUID = "11VectorsABCDE"
Case = dict[str, Any]
Vectors = dict[str, Any]

# The torsion points of the curve: every point whose order divides 8, in canonical form, most significant digit first.
SMALL_ORDER = {
    "order 1, the neutral element": "00" * 31 + "01",
    "order 2": "7f" + "ff" * 30 + "ec",
    "order 4, x even": "00" * 32,
    "order 4, x odd": "80" + "00" * 31,
    "order 8, first": "05fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
    "order 8, second": "85fc536d880238b13933c6d305acdfd5f098eff289f4c345b027b2c28f95e826",
    "order 8, third": "7a03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
    "order 8, fourth": "fa03ac9277fdc74ec6cc392cfa53202a0f67100d760b3cba4fd84d3d706a17c7",
}
NOT_CANONICAL = {
    "the neutral element as y = p + 1": "7f" + "ff" * 30 + "ee",
    "the neutral element with the sign bit": "80" + "00" * 30 + "01",
    "order 2 with the sign bit": "ff" * 31 + "ec",
    "order 4 as y = p": "7f" + "ff" * 30 + "ed",
    "y = p + 3": "7f" + "ff" * 30 + "f0",
}


def _group() -> Vectors:
    rng = SeededRng(b"group")
    x, z = rng.scalar(), rng.scalar()
    a, b = G**x, G**z
    valid: list[Case] = [
        {"name": "generator", "input": {"operation": "power", "base": str(G), "exponent": "1"}, "expected": str(G)},
        {"name": "power of the generator", "input": {"operation": "power", "base": str(G), "exponent": str(x)}, "expected": str(a)},
        {"name": "power", "input": {"operation": "power", "base": str(a), "exponent": str(z)}, "expected": str(a**z)},
        {"name": "power 0", "input": {"operation": "power", "base": str(a), "exponent": "0"}, "expected": str(ONE)},
        {"name": "power q - 1", "input": {"operation": "power", "base": str(a), "exponent": str(Q - 1)}, "expected": str(ONE / a)},
        {"name": "product", "input": {"operation": "times", "left": str(a), "right": str(b)}, "expected": str(a * b)},
        {"name": "product with itself", "input": {"operation": "times", "left": str(a), "right": str(a)}, "expected": str(a * a)},
        {"name": "product with the inverse", "input": {"operation": "times", "left": str(a), "right": str(ONE / a)}, "expected": str(ONE)},
        {"name": "quotient", "input": {"operation": "over", "left": str(a), "right": str(b)}, "expected": str(a / b)},
        {"name": "the neutral element", "input": {"operation": "point", "text": str(ONE)}, "expected": str(ONE)},
        {"name": "scalar 0", "input": {"operation": "scalar", "text": "0"}, "expected": "0"},
        {"name": "scalar q - 1", "input": {"operation": "scalar", "text": str(Q - 1)}, "expected": str(Q - 1)},
    ]
    for text in ("", "prove|x", "Zürich|ß|漢"):
        case = {"operation": "hash_to_scalar", "text": text}
        valid.append({"name": f"hash of {text!r}", "input": case, "expected": str(hash_to_scalar(text))})
    for values in ([], [0], [0] * 10, [1], [255], [1, 2, 3, 0, 0, 0, 0, 0, 0, 4], [*range(1, 31)], [255] * 30, [0] * 29 + [1]):
        case = {"operation": "of_ints", "values": values}
        valid.append({"name": f"encoding of {values}", "input": case, "expected": str(of_ints(values))})
    for index in (0, 1, 2, 3, 10, 1000, 99999):
        case = {"operation": "get_generator", "index": index}
        valid.append({"name": f"generator {index}", "input": case, "expected": str(get_generator(index))})
    seeded = SeededRng(b"seed")
    case = {"operation": "seeded", "seed": "seed", "count": 4}
    valid.append({"name": "seeded randomness", "input": case, "expected": [str(seeded.scalar()) for _ in range(4)]})

    outside = _outside_the_group()
    points = {
        **{name: text for name, text in SMALL_ORDER.items() if text != str(ONE)},
        **NOT_CANONICAL,
        **outside,
        "upper case": str(a).upper(),
        "63 digits": str(a)[1:],
        "65 digits": "0" + str(a),
        "66 digits": "00" + str(a),
        "a sign": "+" + str(a)[1:],
        "a space": " " + str(a)[1:],
        "a newline after": str(a) + "\n",
        "full-width digits": "\uff10" * 64,
        "empty": "",
        "not hexadecimal": "g" * 64,
    }
    scalars = {
        "q": str(Q),
        "a leading zero": "01",
        "minus": "-1",
        "plus": "+1",
        "minus zero": "-0",
        "a space": " 1",
        "a newline": "1\n",
        "an underscore": "1_0",
        "hexadecimal": "0x1",
        "a fraction": "1.0",
        "an exponent": "1e3",
        "Arabic digits": "\u0661\u0662",
        "full-width digits": "\uff11",
        "empty": "",
        "100 digits": "9" * 100,
        "5,000 digits": "1" * 5000,
    }
    failing: list[Case] = [
        {"name": f"point: {name}", "input": {"operation": "point", "text": text}, "error": "MalformedError"}
        for name, text in points.items()
    ]
    failing += [
        {"name": f"scalar: {name}", "input": {"operation": "scalar", "text": text}, "error": "MalformedError"}
        for name, text in scalars.items()
    ]
    for name, values in {"31 values": [0] * 31, "256": [256], "minus one": [-1]}.items():
        failing.append({"name": f"encoding: {name}", "input": {"operation": "of_ints", "values": values}, "error": "MalformedError"})
    return {"source": OURS, "valid": valid, "failing": failing}


def _outside_the_group() -> dict[str, str]:
    """Points of the curve with a torsion part, and a number that is no point, from the generator's own bytes."""
    # The generator plus the point of order 2 is (-x, -y): its y is p - y, its sign the other one.
    p = 2**255 - 19
    z = int(str(G), 16)
    y, sign = z & (2**255 - 1), z >> 255
    return {
        "the generator plus the point of order 2": f"{(p - y) | ((1 - sign) << 255):064x}",
        "off the curve": f"{2:064x}",
    }


def _credentials() -> Vectors:
    rng = SeededRng(b"credentials")
    valid: list[Case] = []
    for number in range(3):
        code = credentials.new_code(rng)
        exponent, public = credentials.derive_credential(UUID, code)
        expected = {"secret": str(exponent), "public": str(public)}
        valid.append({"name": f"code {number + 1}", "input": {"operation": "derive", "uuid": UUID, "code": code}, "expected": expected})
    code = "6qFJz-cVXc1m-UdBcp-YnEgk2"
    bare = code.replace("-", "")
    typed = {
        "as mailed": code,
        "without dashes": bare,
        "with spaces for dashes": code.replace("-", " "),
        "with spaces around": f"  {code}\n",
        "with typographic dashes": code.replace("-", "\u2013"),
        "with non-breaking hyphens": code.replace("-", "\u2011"),
        "with a soft hyphen inside": f"{code[:3]}\u00ad{code[3:]}",
        "in groups of two": " ".join(bare[i : i + 2] for i in range(0, 22, 2)),
        "with a full stop after": f"{code}.",
    }
    valid += [{"name": name, "input": {"operation": "parse", "text": text}, "expected": code} for name, text in typed.items()]
    key, meeting = bytes(range(32)), "agm-2026"
    for handle in ("a", "b", "é"):
        case = {"operation": "derive_code", "key": key.hex(), "meeting": meeting, "handle": handle}
        valid.append({"name": f"code of {handle}", "input": case, "expected": credentials.derive_code(key, meeting, handle)})
    wrong = {
        "empty": "",
        "21 characters": bare[:-1],
        "23 characters": bare + "2",
        "a zero": "0" + bare[1:],
        "a capital O": "O" + bare[1:],
        "a capital I": "I" + bare[1:],
        "a small l": "l" + bare[1:],
        "a full-width digit": "\uff11" + bare[1:],
        "a Cyrillic letter": "\u0410" + bare[1:],
        "an underscore": bare[:5] + "_" + bare[5:],
        "a NUL": bare + "\0",
    }
    failing = [{"name": name, "input": {"operation": "parse", "text": text}, "error": "MalformedError"} for name, text in wrong.items()]
    return {"source": OURS, "valid": valid, "failing": failing}


def _proof_json(parts: tuple[Proof, ...]) -> list[Any]:
    return [proof.to_json() for proof in parts]


def _proofs() -> Vectors:
    key = G ** SeededRng(b"key").scalar()
    valid: list[Case] = []
    failing: list[Case] = []
    for values, index in (([0, 1], 0), ([0, 1], 1), ([1, 2, 3], 0), ([1, 2, 3], 2), ([5], 0)):
        seed = f"iprove {values} {index}"
        rng = SeededRng(seed.encode())
        r = rng.scalar()
        ciphertext = elgamal.encrypt_integer(key, values[index], r)
        parts = proofs.iprove("S", key, ciphertext, r, index, values, rng)
        given = {"operation": "iprove", "seed": seed, "S": "S", "key": str(key), "values": values, "index": index}
        expected = {"ciphertext": ciphertext.to_json(), "proofs": _proof_json(parts)}
        valid.append({"name": f"{values[index]} in {values}", "input": given, "expected": expected})
        check = {"operation": "check_iproof", "S": "S", "key": str(key), "values": values, **expected}
        failing.append({"name": f"{seed}, in another context", "input": {**check, "S": "T"}, "error": "InvalidProofError"})
        shorter = {**check, "proofs": check["proofs"][:-1]}
        failing.append({"name": f"{seed}, a part missing", "input": shorter, "error": "InvalidProofError"})
    rng = SeededRng(b"possession")
    x = rng.scalar()
    pok = proofs.prove_possession(x, rng)
    given = {"operation": "prove_possession", "seed": "possession"}
    valid.append({"name": "possession", "input": given, "expected": {"public_key": str(G**x), "pok": pok.to_json()}})
    stolen = {"operation": "check_possession", "public_key": str(G ** (x + 1)), "pok": pok.to_json()}
    failing.append({"name": "possession of another key", "input": stolen, "error": "InvalidProofError"})
    rng = SeededRng(b"typed")
    x = rng.scalar()
    typed = proofs.prove_typed_code(UUID, "nonce", x, rng)
    given = {"operation": "prove_typed_code", "seed": "typed", "uuid": UUID, "nonce": "nonce"}
    valid.append({"name": "typed code", "input": given, "expected": {"credential": str(G**x), "proof": typed.to_json()}})
    replayed = {"operation": "check_typed_code", "uuid": UUID, "nonce": "other", "credential": str(G**x), "proof": typed.to_json()}
    failing.append({"name": "typed code, another nonce", "input": replayed, "error": "InvalidProofError"})
    return {"source": OURS, "valid": valid, "failing": failing}


# --- ballots ----------------------------------------------------------------------------------------------------------

MOTION = QuestionH(("For", "Against"), 1, 1, "Do we build the pier?", blank=True)
QUESTIONS = {
    "a motion": MOTION,
    "some of four": QuestionH(("A", "B", "C", "D"), 0, 3, "Which of these?"),
    "blank, or two to three of four": QuestionH(("A", "B", "C", "D"), 2, 3, "Which of these?", blank=True),
    "exactly one, blank spelt out": QuestionH(("Yes", "No"), 1, 1, "Well?", blank=False),
    "a ranking": QuestionNH(tuple("ABCDEFGHIJ"), "In which order?"),
    "a ranking of thirty": QuestionNH(tuple(map(str, range(1, 31))), "In which order?", {"method": "STV"}),
}
CHOICES: dict[str, list[list[int]]] = {
    "a motion": [[0, 1, 0], [0, 0, 1], [1, 0, 0]],
    "some of four": [[0, 0, 0, 0], [1, 0, 1, 1]],
    "blank, or two to three of four": [[1, 0, 0, 0, 0], [0, 1, 1, 0, 0], [0, 1, 0, 1, 1]],
    "exactly one, blank spelt out": [[1, 0], [0, 1]],
    "a ranking": [[0] * 10, [1, 2, 3, 4, 5, 6, 7, 8, 9, 10], [0, 2, 0, 1, 0, 0, 3, 0, 0, 0]],
    "a ranking of thirty": [[*range(30, 0, -1)]],
}


def election_of(*questions: QuestionH | QuestionNH, uuid: str = UUID) -> Election:
    key = G ** SeededRng(b"trustee").scalar()
    return Election(1, 'Of the society: "Zürich" & Co.\nLine two', "Annual general meeting", "Ed25519", key, questions, uuid)


def _made(name: str, election: Election, code: str, choices: list[list[int]], seed: str) -> tuple[Case, Ballot]:
    ballot = create_ballot(election, code, choices, SeededRng(seed.encode()))
    given = {"operation": "create", "election": election.to_bytes().decode(), "code": code, "choices": choices, "seed": seed}
    expected = {"ballot": ballot.to_bytes().decode(), "hash": ballot_hash(ballot), "tracker": tracker(ballot.to_bytes())}
    return {"name": name, "input": given, "expected": expected}, ballot


def sign_again(ballot: Ballot, secret: int) -> Ballot:
    """The ballot with a sound signature over whatever was bent in it."""
    unsigned = replace(ballot, signature=None)
    signed = ballot_hash(unsigned)
    return replace(unsigned, signature=Signature(signed, proofs.sign(signed, secret, SeededRng(b"again"))))


def _bent(election: Election, honest: Ballot, other: Ballot, secret: int) -> dict[str, tuple[Ballot, str]]:
    """Well-formed ballots, each with one thing bent, and the error that has to name it. Question 1 is a motion, 2 a ranking."""
    motion, ranking = honest.answers
    assert isinstance(motion, AnswerH)
    assert isinstance(ranking, AnswerNH)
    assert honest.signature is not None
    assert motion.blank_proof is not None

    def first(**changes: Any) -> Ballot:
        return sign_again(replace(honest, answers=(replace(motion, **changes), ranking)), secret)

    def second(**changes: Any) -> Ballot:
        return sign_again(replace(honest, answers=(motion, replace(ranking, **changes))), secret)

    def off_by_one(proof: Proof) -> Proof:
        return replace(proof, response=(proof.response + 1) % Q)

    c0, c1, c2 = motion.choices
    i0, i1, i2 = motion.individual_proofs
    o0, o1 = motion.overall_proof
    b0, b1 = motion.blank_proof
    g_times = Ciphertext(c1.alpha, c1.beta * G)
    invalid, proof = "InvalidBallotError", "InvalidProofError"
    foreign = create_ballot(
        replace(election, uuid="11VectorsTHERE"), secret, [[0, 1, 0], [0] * 10], SeededRng(b"foreign")
    )
    return {
        "of another election": (foreign, invalid),
        "of other questions": (sign_again(replace(honest, election_hash=other.signature.hash if other.signature else ""), secret), invalid),
        "unknown credential": (create_ballot(election, (secret + 1) % Q, [[0, 1, 0], [0] * 10], SeededRng(b"u")), invalid),
        "no answers": (sign_again(replace(honest, answers=()), secret), invalid),
        "one answer too few": (sign_again(replace(honest, answers=(motion,)), secret), invalid),
        "one answer too many": (sign_again(replace(honest, answers=(motion, ranking, ranking)), secret), invalid),
        "answers exchanged": (sign_again(replace(honest, answers=(ranking, motion)), secret), invalid),
        "answers of another member under one's own signature": (
            sign_again(replace(honest, answers=other.answers), secret),
            proof,
        ),
        "a ranking of another member under one's own signature": (
            sign_again(replace(honest, answers=(motion, other.answers[1])), secret),
            proof,
        ),
        "no choices": (first(choices=(), individual_proofs=()), invalid),
        "one choice too few": (first(choices=(c0, c1), individual_proofs=(i0, i1)), invalid),
        "one choice too many": (first(choices=(c0, c1, c2, c2), individual_proofs=(i0, i1, i2, i2)), invalid),
        "one individual proof too few": (first(individual_proofs=(i0, i1)), invalid),
        "an individual proof with one part": (first(individual_proofs=(i0, i1[:1], i2)), proof),
        "an individual proof with three parts": (first(individual_proofs=(i0, (*i1, i1[0]), i2)), proof),
        "an empty individual proof": (first(individual_proofs=(i0, (), i2)), proof),
        "individual proofs exchanged": (first(individual_proofs=(i0, i2, i1)), proof),
        "parts of an individual proof exchanged": (first(individual_proofs=(i0, (i1[1], i1[0]), i2)), proof),
        "a response one too large": (first(individual_proofs=(i0, (i1[0], off_by_one(i1[1])), i2)), proof),
        "choices exchanged": (first(choices=(c0, c2, c1)), proof),
        "a choice with one more vote in it": (first(choices=(c0, g_times, c2)), proof),
        "choices and their proofs exchanged": (first(choices=(c0, c2, c1), individual_proofs=(i0, i2, i1)), proof),
        "no blank proof": (first(blank_proof=None), invalid),
        "blank proof exchanged": (first(blank_proof=(b1, b0)), proof),
        "blank proof from the overall proof": (first(blank_proof=(o0, o1)), proof),
        "an overall proof with one part": (first(overall_proof=(o0,)), proof),
        "an empty overall proof": (first(overall_proof=()), proof),
        "overall proof exchanged": (first(overall_proof=(o1, o0)), proof),
        "overall proof one too large": (first(overall_proof=(o0, off_by_one(o1))), proof),
        "a ranking's proof with another challenge": (
            second(proof=replace(ranking.proof, challenge=(ranking.proof.challenge + 1) % Q)),
            proof,
        ),
        "a ranking of something else": (second(choices=replace(ranking.choices, beta=ranking.choices.beta * G)), proof),
        "a ranking encrypted again": (second(choices=elgamal.reencrypt(election.public_key, ranking.choices, 5)), proof),
        "signed by another credential": (sign_again(honest, (secret + 1) % Q), proof),
        "with another's signature": (replace(honest, signature=other.signature), invalid),
        "signature one too large": (
            replace(honest, signature=replace(honest.signature, proof=off_by_one(honest.signature.proof))),
            proof,
        ),
        "a padded hash": (replace(honest, signature=replace(honest.signature, hash=honest.signature.hash + "=")), invalid),
    } | _dishonest(election, secret)


def _dishonest(election: Election, secret: int) -> dict[str, tuple[Ballot, str]]:
    """Ballots whose every individual value is proven, but whose sum is not permitted; the prover claims what it likes."""
    key, public = election.public_key, G**secret
    context = f"{election.fingerprint}|{public}"
    result = {}
    for name, votes, claims_blank in (
        ("for and against", (0, 1, 1), 0),
        ("neither, and not blank", (0, 0, 0), 0),
        ("blank and for", (1, 1, 0), 1),
        ("blank and for, called not blank", (1, 1, 0), 0),
    ):
        rng = SeededRng(name.encode())
        randoms = [rng.scalar() for _ in votes]
        choices = tuple(elgamal.encrypt_integer(key, m, r) for m, r in zip(votes, randoms, strict=True))
        individual = tuple(
            proofs.iprove(context, key, c, r, m, (0, 1), rng) for c, r, m in zip(choices, randoms, votes, strict=True)
        )
        full = f"{context}|{','.join(map(str, choices))}"
        total = elgamal.combine(choices[1:])
        r_total = sum(randoms[1:])
        overall = proofs.prove_disjunction(
            proofs.overall_statement(full),
            key,
            proofs.overall_branches(choices[0], total, [1]),
            0 if claims_blank else 1,
            randoms[0] if claims_blank else r_total,
            rng,
        )
        blank = proofs.prove_disjunction(
            proofs.blank_statement(full),
            key,
            proofs.blank_branches(choices[0], total),
            claims_blank,
            r_total if claims_blank else randoms[0],
            rng,
        )
        answer = AnswerH(choices, individual, overall, (blank[0], blank[1]))
        ranking = create_ballot(election, secret, [[0, 1, 0], [0] * 10], rng).answers[1]
        ballot = sign_again(Ballot(election.uuid, election.fingerprint, public, (answer, ranking), None), secret)
        result[name] = (ballot, "InvalidProofError")
    return result


def _malformed(text: str, honest: Ballot) -> dict[str, str]:
    """Texts that only look like a ballot; every one is refused before anything in it is believed."""
    motion = honest.answers[0]
    assert isinstance(motion, AnswerH)
    alpha, challenge = f'"alpha":"{motion.choices[0].alpha}"', str(motion.individual_proofs[0][0].challenge)
    credential = f'"credential":"{honest.credential}"'
    head, _, tail = text.partition(',"election_hash"')
    changes: dict[str, Callable[[], str]] = {
        "empty": lambda: "",
        "cut short": lambda: text[:-1],
        "twice": lambda: text * 2,
        "a newline after": lambda: text + "\n",
        "a space inside": lambda: text.replace(":", ": ", 1),
        "a byte order mark": lambda: "\ufeff" + text,
        "an escaped letter": lambda: text.replace(f'"{UUID}"', f'"\\u0031{UUID[1:]}"'),
        "a duplicate key": lambda: f'{head},"election_uuid":"{UUID}","election_hash"{tail}',
        "an unknown key": lambda: text[:-1] + ',"note":"hello"}',
        "keys in another order": lambda: "{" + text.replace(f'"election_uuid":"{UUID}",', "", 1)[1:-1] + f',"election_uuid":"{UUID}"}}',
        "no signature": lambda: text[: text.index(',"signature"')] + "}",
        "a null signature": lambda: text[: text.index(',"signature"')] + ',"signature":null}',
        "an array": lambda: f"[{text}]",
        "deeply nested": lambda: "[" * 100_000,
        "a scalar as a number": lambda: text.replace(f'"{challenge}"', challenge, 1),
        "a scalar with a leading zero": lambda: text.replace(f'"{challenge}"', f'"0{challenge}"', 1),
        "a scalar plus q": lambda: text.replace(f'"{challenge}"', f'"{int(challenge) + Q}"', 1),
        "a negative scalar": lambda: text.replace(f'"{challenge}"', f'"{int(challenge) - Q}"', 1),
        "upper-case digits": lambda: text.replace(alpha, alpha.upper().replace("ALPHA", "alpha"), 1),
        "a neutral credential": lambda: text.replace(credential, f'"credential":"{ONE}"', 1),
    }
    result = {name: change() for name, change in changes.items()}
    for name, point in (SMALL_ORDER | NOT_CANONICAL | _outside_the_group()).items():
        result[f"alpha: {name}"] = text.replace(alpha, f'"alpha":"{point}"', 1)
    return result


def _ballots() -> Vectors:
    rng = SeededRng(b"codes")
    valid: list[Case] = []
    for name, question in QUESTIONS.items():
        for number, choices in enumerate(CHOICES[name], start=1):
            case, _ = _made(f"{name}, {number}", election_of(question), credentials.new_code(rng), [choices], f"{name} {number}")
            valid.append(case)
    everything = election_of(*QUESTIONS.values())
    case, _ = _made("all questions", everything, credentials.new_code(rng), [CHOICES[name][-1] for name in QUESTIONS], "all")
    valid.append(case)

    election = election_of(MOTION, QUESTIONS["a ranking"])
    mine, theirs = credentials.new_code(rng), credentials.new_code(rng)
    case, honest = _made("mine", election, mine, [[0, 1, 0], CHOICES["a ranking"][1]], "mine")
    valid.append(case)
    case, other = _made("theirs", election, theirs, [[1, 0, 0], CHOICES["a ranking"][2]], "theirs")
    valid.append(case)
    listed = [str(credentials.public(UUID, code)) for code in (mine, theirs)]
    given = {"operation": "check", "election": election.to_bytes().decode(), "credentials": listed}
    bent = _bent(election, honest, other, credentials.secret(UUID, mine))
    failing: list[Case] = [
        {"name": name, "input": {**given, "ballot": ballot.to_bytes().decode()}, "error": error} for name, (ballot, error) in bent.items()
    ]
    failing += [
        {"name": name, "input": {**given, "ballot": text}, "error": "MalformedError"}
        for name, text in _malformed(honest.to_bytes().decode(), honest).items()
        if len(text) < 50_000  # the deeply nested one is made by the test itself
    ]
    for name, question, choices in (
        ("two of one", MOTION, [[0, 1, 1]]),
        ("none, not blank", MOTION, [[0, 0, 0]]),
        ("blank and for", MOTION, [[1, 1, 0]]),
        ("a two", MOTION, [[0, 2, 0]]),
        ("no place for blank", MOTION, [[1, 0]]),
        ("no answers", MOTION, []),
        ("nine ranks of ten", QUESTIONS["a ranking"], [[1] * 9]),
    ):
        case = {"operation": "create", "election": election_of(question).to_bytes().decode(), "code": mine, "choices": choices, "seed": "x"}
        failing.append({"name": f"choices: {name}", "input": case, "error": "MalformedError"})
    return {"source": OURS, "valid": valid, "failing": failing}


def _belenios_tool(tool: str) -> Vectors:
    """Credentials and ballots that the reference tool made; its randomness is its own, so each run differs."""

    def run(*arguments: str) -> str:
        return subprocess.run([tool, *arguments], capture_output=True, text=True, check=True).stdout.strip()

    rng = SeededRng(b"tool")
    codes = [credentials.new_code(rng) for _ in range(3)] + ["11111-111111-11111-111111", "zzzzz-zzzzzz-zzzzz-zzzzzz"]
    election = election_of(*QUESTIONS.values())
    valid: list[Case] = []
    for code in codes:
        public = run("setup", "generate-credentials", "--group=Ed25519", f"--uuid={UUID}", f"--derive={code}")
        valid.append({"name": f"credential {code}", "input": {"operation": "public", "uuid": UUID, "code": code}, "expected": public})
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_setup_archive(folder, election, codes)
        for number, code in enumerate(codes):
            choices = [CHOICES[question][number % len(CHOICES[question])] for question in QUESTIONS]
            (folder / "choice.json").write_text(json.dumps(choices))
            (folder / "code").write_text(code)
            where = (f"--dir={folder}", f"--uuid={UUID}", f"--choice={folder / 'choice.json'}", f"--privcred={folder / 'code'}")
            ballot = run("election", "generate-ballot", *where)
            given = {"operation": "check", "election": election.to_bytes().decode(), "ballot": ballot, "code": code, "choices": choices}
            valid.append({"name": f"ballot {number + 1}", "input": given, "expected": {"tracker": tracker(ballot.encode())}})
    version = run("--version")
    return {"source": f"belenios-tool {version}", "valid": valid, "failing": []}


def write_setup_archive(folder: Path, election: Election, codes: list[str]) -> Path:
    """An archive that holds the set-up of an election of `election_of`, with these members' credentials."""
    rng = SeededRng(b"trustee")
    key = rng.scalar()
    public = [credentials.public(election.uuid, code) for code in codes]
    path = folder / f"{election.uuid}.bel"
    with path.open("wb") as file:
        writer = ArchiveWriter(file, 1_750_000_000)
        trustee = TrusteePublicKey(proofs.prove_possession(key, rng), G**key)
        parts = (election, Trustees((trustee,)), PublicCredentials.from_points(public))
        setup = SetupData(*(writer.add_object(part.to_bytes()) for part in parts))
        writer.add_event("Setup", writer.add_object(setup.to_bytes()))
    return path


def build() -> dict[str, Vectors]:
    """File name to content, for the files that are ours alone."""
    return {
        "group": _group(),
        "credentials": _credentials(),
        "proofs": _proofs(),
        "ballots": _ballots(),
        "keyholders": keyholders.build(),
    }


def _write(name: str, vectors: Vectors) -> None:
    (FOLDER / f"{name}.json").write_text(as_text(vectors), encoding="utf-8")


def as_text(vectors: Vectors) -> str:
    """One case a line, so that a difference is readable."""
    parts = [f'"source": {json.dumps(vectors["source"])}']
    for kind in ("valid", "failing"):
        cases = ",\n".join(json.dumps(case, ensure_ascii=True) for case in vectors[kind])
        parts.append(f'"{kind}": [\n{cases}\n]')
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--belenios-tool", metavar="PATH", help="also write belenios_tool.json with this program")
    tool: str | None = parser.parse_args().belenios_tool
    for name, vectors in build().items():
        _write(name, vectors)
    if tool:
        _write("belenios_tool", _belenios_tool(tool))


if __name__ == "__main__":
    main()
