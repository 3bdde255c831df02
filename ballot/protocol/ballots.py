"""Ballots (Belenios v1, 4.11 to 4.17): a member's choices encrypted, proven to be permitted, and signed.

Random numbers are drawn in the order of tests/vectors/README.md, so that the booth makes the same bytes from one seed.
"""

from __future__ import annotations

from collections.abc import Container, Sequence
from dataclasses import replace

from ballot.errors import InvalidBallotError, InvalidProofError, MalformedError
from ballot.protocol import credentials as codes
from ballot.protocol.elgamal import combine, encrypt, encrypt_integer
from ballot.protocol.group import G, Point, Rng, of_ints
from ballot.protocol.messages import (
    Answer,
    AnswerH,
    AnswerNH,
    Ballot,
    Ciphertext,
    Election,
    Question,
    QuestionH,
    QuestionNH,
    Signature,
    sha256_b64,
)
from ballot.protocol.proofs import (
    blank_branches,
    blank_statement,
    check_disjunction,
    check_iproof,
    check_raweg,
    check_signature,
    iprove,
    overall_branches,
    overall_statement,
    prove_disjunction,
    prove_raweg,
    sign,
)


def tracker(ballot: bytes) -> str:
    """The smart ballot tracker (4.17) of a ballot's very bytes: what a member's receipt and the board show."""
    return sha256_b64(ballot)


def ballot_hash(ballot: Ballot) -> str:
    """What the signature signs (4.17): the compact hash of the ballot without its signature."""
    if ballot.signature is None:
        return sha256_b64(ballot.to_bytes())
    # The signature is the last field, and nothing that stands after its key can look like the key.
    unsigned, _, _ = ballot.to_bytes().rpartition(b',"signature":')
    return sha256_b64(unsigned + b"}")


def _context(fingerprint: str, credential: Point) -> str:
    """S_0 of 4.11: every proof of a ballot names the election and the credential, so none fits another ballot."""
    return f"{fingerprint}|{credential}"


def _full_context(context: str, choices: Sequence[Ciphertext]) -> str:
    """S of 4.11.1: S_0 and every ciphertext of the answer."""
    return f"{context}|{','.join(map(str, choices))}"


# --- making -----------------------------------------------------------------------------------------------------------


def check_choices(question: Question, choices: Sequence[int]) -> None:
    """Check that a question allows these plain choices, before they are encrypted.

    A ranked question's numbers are only held to what fits into the group: their meaning is the counting rule's.

    Raises: MalformedError.
    """
    if isinstance(question, QuestionNH):
        if len(choices) != len(question.answers) or not all(0 <= value <= 255 for value in choices):
            raise MalformedError(f"a ranking has {len(question.answers)} numbers from 0 to 255")
        return
    if len(choices) != question.length or not all(value in (0, 1) for value in choices):
        raise MalformedError(f"this question takes {question.length} numbers, each 0 or 1")
    blank, chosen = (choices[0], choices[1:]) if question.blank else (0, choices)
    if blank:
        if any(chosen):
            raise MalformedError("a blank vote chooses nothing else")
    elif not question.min <= sum(chosen) <= question.max:
        raise MalformedError(f"{sum(chosen)} choices, where {question.min} to {question.max} are permitted")


def _answer_h(key: Point, question: QuestionH, context: str, choices: Sequence[int], rng: Rng) -> AnswerH:
    randoms = [rng.scalar() for _ in choices]
    ciphertexts = tuple(encrypt_integer(key, m, r) for m, r in zip(choices, randoms, strict=True))
    full = _full_context(context, ciphertexts)
    individual = tuple(
        iprove(context, key, ciphertext, r, m, (0, 1), rng)
        for ciphertext, m, r in zip(ciphertexts, choices, randoms, strict=True)
    )
    values = range(question.min, question.max + 1)
    if not question.blank:
        total = combine(ciphertexts)
        overall = iprove(full, key, total, sum(randoms), sum(choices) - question.min, values, rng)
        return AnswerH(ciphertexts, individual, overall)
    total = combine(ciphertexts[1:])
    is_blank, r_blank, r_total = choices[0], randoms[0], sum(randoms[1:])
    overall = prove_disjunction(
        overall_statement(full),
        key,
        overall_branches(ciphertexts[0], total, values),
        0 if is_blank else 1 + sum(choices) - question.min,
        r_blank if is_blank else r_total,
        rng,
    )
    not_blank, nothing_chosen = prove_disjunction(
        blank_statement(full),
        key,
        blank_branches(ciphertexts[0], total),
        is_blank,  # branch 0 says "not blank", branch 1 "nothing chosen"
        r_total if is_blank else r_blank,
        rng,
    )
    return AnswerH(ciphertexts, individual, overall, (not_blank, nothing_chosen))


def _answer_nh(key: Point, context: str, choices: Sequence[int], rng: Rng) -> AnswerNH:
    r = rng.scalar()
    ciphertext = encrypt(key, of_ints(choices), r)
    return AnswerNH(ciphertext, prove_raweg(context, key, ciphertext, r, rng))


def create_ballot(election: Election, credential: str | int, choices: Sequence[Sequence[int]], rng: Rng) -> Ballot:
    """A ballot with these choices, signed with a credential: its code, or its secret exponent in this election.

    Shapes: choices[question][answer], homomorphic ones 0 or 1 (first of all 0 or 1 for blank, where it is allowed),
    ranked ones 0 to 255.

    Raises: MalformedError when the election does not allow the choices, or the code has not the form of one.
    """
    if len(choices) != len(election.questions):
        raise MalformedError(f"{len(choices)} answers to {len(election.questions)} questions")
    secret = codes.secret(election.uuid, credential) if isinstance(credential, str) else credential
    public = G**secret
    context = _context(election.fingerprint, public)
    answers: list[Answer] = []
    for number, (question, chosen) in enumerate(zip(election.questions, choices, strict=True), start=1):
        try:
            check_choices(question, chosen)
        except MalformedError as error:
            raise MalformedError(f"question {number}: {error}") from error
        if isinstance(question, QuestionH):
            answers.append(_answer_h(election.public_key, question, context, chosen, rng))
        else:
            answers.append(_answer_nh(election.public_key, context, chosen, rng))
    unsigned = Ballot(election.uuid, election.fingerprint, public, tuple(answers), None)
    signed = ballot_hash(unsigned)
    return replace(unsigned, signature=Signature(signed, sign(signed, secret, rng)))


# --- checking ---------------------------------------------------------------------------------------------------------


def _check_h(key: Point, question: QuestionH, context: str, answer: AnswerH) -> None:
    choices = answer.choices
    if len(choices) != question.length or len(answer.individual_proofs) != question.length:
        raise InvalidBallotError(f"{len(choices)} choices and {len(answer.individual_proofs)} proofs of them, not {question.length}")
    if (answer.blank_proof is not None) != bool(question.blank):
        raise InvalidBallotError("the proof about a blank vote is " + ("missing" if question.blank else "out of place"))
    for number, (ciphertext, proofs) in enumerate(zip(choices, answer.individual_proofs, strict=True), start=1):
        try:
            check_iproof(context, key, ciphertext, (0, 1), proofs)
        except InvalidProofError as error:
            raise InvalidProofError(f"choice {number} is not proven to be 0 or 1: {error}") from error
    full = _full_context(context, choices)
    values = range(question.min, question.max + 1)
    try:
        if answer.blank_proof is None:
            check_iproof(full, key, combine(choices), values, answer.overall_proof)
        else:
            blank, total = choices[0], combine(choices[1:])
            check_disjunction(overall_statement(full), key, overall_branches(blank, total, values), answer.overall_proof)
            check_disjunction(blank_statement(full), key, blank_branches(blank, total), answer.blank_proof)
    except InvalidProofError as error:
        raise InvalidProofError(f"the number of choices is not proven to be permitted: {error}") from error


def _check_answer(key: Point, question: Question, context: str, answer: Answer) -> None:
    if isinstance(question, QuestionH) and isinstance(answer, AnswerH):
        _check_h(key, question, context, answer)
    elif isinstance(question, QuestionNH) and isinstance(answer, AnswerNH):
        check_raweg(context, key, answer.choices, answer.proof)
    else:
        raise InvalidBallotError("the answer is not of the question's kind")


def check_ballot(election: Election, ballot: Ballot, credentials: Container[Point] | None) -> None:
    """Check that a ballot belongs to this election, answers each question as it allows, and is signed.

    Source: Belenios v1 4.11 to 4.17. `credentials` are the election's public credentials; None leaves that check to the
    caller. Not checked here: whether the credential voted before, and the content of a ranking, which nobody sees.

    Raises:
        InvalidBallotError: another election, an unknown credential, or answers of a wrong shape.
        InvalidProofError: a proof or the signature does not hold; the text says of which question and choice.
    """
    if ballot.election_uuid != election.uuid:
        raise InvalidBallotError("the ballot is for another election")
    if ballot.election_hash != election.fingerprint:
        raise InvalidBallotError("the ballot was made for other questions: its election fingerprint differs")
    if credentials is not None and ballot.credential not in credentials:
        raise InvalidBallotError("the ballot's credential is not in the election's list")
    if len(ballot.answers) != len(election.questions):
        raise InvalidBallotError(f"{len(ballot.answers)} answers to {len(election.questions)} questions")
    if ballot.signature is None:
        raise InvalidBallotError("the ballot is not signed")
    if ballot.signature.hash != ballot_hash(ballot):
        raise InvalidBallotError("the signature is of another ballot")
    try:
        check_signature(ballot.signature.hash, ballot.credential, ballot.signature.proof)
    except InvalidProofError as error:
        raise InvalidProofError("the signature does not hold") from error
    context = _context(election.fingerprint, ballot.credential)
    for number, (question, answer) in enumerate(zip(election.questions, ballot.answers, strict=True), start=1):
        try:
            _check_answer(election.public_key, question, context, answer)
        except InvalidProofError as error:
            raise InvalidProofError(f"question {number}: {error}") from error
        except InvalidBallotError as error:
            raise InvalidBallotError(f"question {number}: {error}") from error
