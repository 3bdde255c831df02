"""Ballots (4.11 to 4.17): honest ones pass, and no change to any byte or field of one goes unnoticed."""

from __future__ import annotations

import json
import pickle
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballot.errors import BallotError, InvalidBallotError, InvalidProofError, MalformedError
from ballot.protocol import credentials
from ballot.protocol.ballots import ballot_hash, check_ballot, create_ballot, tracker
from ballot.protocol.group import G, Q, SeededRng, SystemRng
from ballot.protocol.messages import Ballot, Election, QuestionH, QuestionNH, sha256_b64
from tests.vectors.make import CHOICES, QUESTIONS, election_of, sign_again

ELECTION = election_of(QUESTIONS["blank, or two to three of four"], QUESTIONS["a ranking"], QUESTIONS["exactly one, blank spelt out"])
CODE = "6qFJz-cVXc1m-UdBcp-YnEgk2"
CREDENTIAL = credentials.public(ELECTION.uuid, CODE)
HONEST = create_ballot(ELECTION, CODE, [[0, 1, 0, 1, 1], CHOICES["a ranking"][2], [0, 1]], SeededRng(b"honest"))
DATA = HONEST.to_bytes()


def _check(data: bytes) -> None:
    check_ballot(ELECTION, Ballot.parse(data), {CREDENTIAL})


@st.composite
def _question_and_choices(draw: st.DrawFn) -> tuple[QuestionH | QuestionNH, list[int]]:
    size = draw(st.integers(0, 4))
    answers = tuple(map(str, range(size)))
    if draw(st.booleans()):
        ranked = draw(st.permutations(range(size)))[: draw(st.integers(0, size))]
        return QuestionNH(answers, "?"), [ranked.index(i) + 1 if i in ranked else 0 for i in range(size)]
    least = draw(st.integers(0, size))
    most = draw(st.integers(least, size))
    blank = draw(st.sampled_from([None, False, True]))
    question = QuestionH(answers, least, most, "?", blank)
    if blank and draw(st.booleans()):
        return question, [1] + [0] * size
    chosen = draw(st.permutations(range(size)))[: draw(st.integers(least, most))]
    return question, [0] * bool(blank) + [int(i in chosen) for i in range(size)]


@settings(max_examples=60, deadline=None)
@given(st.lists(_question_and_choices(), max_size=3), st.binary(max_size=8))
def test_every_permitted_answer_makes_a_ballot_that_passes(asked: list[tuple[Any, list[int]]], seed: bytes) -> None:
    election = election_of(*(question for question, _ in asked))
    ballot = create_ballot(election, CODE, [choices for _, choices in asked], SeededRng(seed))
    parsed = Ballot.parse(ballot.to_bytes())
    assert ballot == parsed
    check_ballot(election, parsed, {credentials.public(election.uuid, CODE)})


def test_the_same_seed_makes_the_same_bytes_and_another_seed_others() -> None:
    choices = [[1, 0, 0, 0, 0], [0] * 10, [1, 0]]
    first, again, other = (create_ballot(ELECTION, CODE, choices, SeededRng(seed)).to_bytes() for seed in (b"a", b"a", b"b"))
    assert first == again != other


def test_the_secret_exponent_signs_as_its_code_does() -> None:
    secret = credentials.secret(ELECTION.uuid, CODE)
    assert HONEST == create_ballot(ELECTION, secret, [[0, 1, 0, 1, 1], CHOICES["a ranking"][2], [0, 1]], SeededRng(b"honest"))


@settings(max_examples=400, deadline=None)
@given(st.integers(0, len(DATA) * 8 - 1))
def test_a_flipped_bit_is_always_refused(bit: int) -> None:
    bent = bytearray(DATA)
    bent[bit // 8] ^= 1 << bit % 8
    with pytest.raises(BallotError):
        _check(bytes(bent))


@settings(max_examples=200, deadline=None)
@given(st.integers(0, len(DATA)), st.integers(0, 20), st.binary(max_size=20))
def test_bytes_taken_away_or_put_in_are_always_refused(place: int, away: int, added: bytes) -> None:
    bent = DATA[:place] + added + DATA[place + away :]
    if bent != DATA:
        with pytest.raises(BallotError):
            _check(bent)


def _leaves(value: Any, path: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for key, item in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(item, (*path, key))
    else:
        yield path


def _bent_at(path: tuple[Any, ...]) -> bytes:
    value = json.loads(DATA)
    inner = value
    for key in path[:-1]:
        inner = inner[key]
    old, field = inner[path[-1]], path[-1]
    if field in ("challenge", "response"):
        inner[field] = str((int(old) + 1) % Q)
    elif field in ("alpha", "beta", "credential"):
        inner[field] = str(G ** (len(old) + 12345))
    else:
        inner[field] = old[:-1] + ("A" if old[-1] != "A" else "B")
    return json.dumps(value, separators=(",", ":")).encode()


@pytest.mark.parametrize("path", list(_leaves(json.loads(DATA))), ids=lambda path: ".".join(map(str, path)))
def test_a_changed_field_is_refused_with_a_reason_although_it_is_well_formed(path: tuple[Any, ...]) -> None:
    bent = Ballot.parse(_bent_at(path))
    with pytest.raises((InvalidBallotError, InvalidProofError), match=r"\w"):
        check_ballot(ELECTION, bent, {CREDENTIAL})


@pytest.mark.parametrize("path", [p for p in _leaves(json.loads(DATA)) if p[0] == "answers"], ids=lambda path: ".".join(map(str, path)))
def test_a_changed_answer_is_refused_by_its_own_proof_when_it_is_signed_again(path: tuple[Any, ...]) -> None:
    """Of a cheating member, whose signature is sound; the reason names the question."""
    bent = sign_again(Ballot.parse(_bent_at(path)), credentials.secret(ELECTION.uuid, CODE))
    with pytest.raises(InvalidProofError, match=rf"^question {path[1] + 1}: "):
        check_ballot(ELECTION, bent, {CREDENTIAL})


@pytest.mark.parametrize(
    "change",
    [
        {"uuid": "11VectorsABCDF"},
        {"public_key": G**5},
        {"name": "Annual general meeting "},
        {"description": ""},
        {"questions": ELECTION.questions[::-1]},
        {"administrator": "somebody"},
    ],
    ids=lambda change: next(iter(change)),
)
def test_a_ballot_fits_no_other_election(change: dict[str, Any]) -> None:
    with pytest.raises(InvalidBallotError, match=r"another election|fingerprint"):
        check_ballot(replace(ELECTION, **change), HONEST, None)


def test_a_ballot_passes_without_a_list_but_not_with_one_that_lacks_it() -> None:
    check_ballot(ELECTION, HONEST, None)
    with pytest.raises(InvalidBallotError, match="list"):
        check_ballot(ELECTION, HONEST, set())


def test_a_ballot_without_signature_is_refused() -> None:
    with pytest.raises(InvalidBallotError, match="not signed"):
        check_ballot(ELECTION, replace(HONEST, signature=None), None)


def test_the_hash_is_the_same_from_fields_and_from_bytes() -> None:
    parsed = Ballot.parse(DATA)
    assert ballot_hash(HONEST) == ballot_hash(parsed) == sha256_b64(replace(parsed, signature=None).to_bytes())


def test_a_hash_field_that_looks_like_a_key_does_not_move_the_signature() -> None:
    assert HONEST.signature is not None
    odd = replace(HONEST, signature=replace(HONEST.signature, hash=',"signature":'))
    assert ballot_hash(HONEST) == ballot_hash(odd) == ballot_hash(Ballot.parse(odd.to_bytes()))
    with pytest.raises(InvalidBallotError, match="another ballot"):
        check_ballot(ELECTION, odd, None)


def test_the_tracker_is_of_the_very_bytes() -> None:
    assert sha256_b64(DATA) == tracker(DATA) != tracker(DATA + b"\n")


def test_a_parsed_ballot_survives_the_way_to_another_process() -> None:
    parsed = Ballot.parse(DATA)
    assert parsed == pickle.loads(pickle.dumps(parsed))  # noqa: S301  (our own bytes)
    assert DATA == pickle.loads(pickle.dumps(parsed)).to_bytes()  # noqa: S301  (our own bytes)


@pytest.mark.parametrize(
    ("question", "choices", "words"),
    [
        (QUESTIONS["a motion"], [0, 1, 1], "2 choices, where 1 to 1 are permitted"),
        (QUESTIONS["a motion"], [0, 0, 0], "0 choices"),
        (QUESTIONS["a motion"], [1, 0, 1], "blank vote chooses nothing else"),
        (QUESTIONS["a motion"], [0, -1, 1], "0 or 1"),
        (QUESTIONS["some of four"], [1, 1, 1, 1], "4 choices, where 0 to 3"),
        (QUESTIONS["some of four"], [1, 1, 1, 0, 0], "takes 4 numbers"),
        (QUESTIONS["a ranking"], [256] + [0] * 9, "0 to 255"),
        (QUESTIONS["a ranking"], [1], "10 numbers"),
    ],
)
def test_choices_that_the_question_does_not_allow_make_no_ballot(question: QuestionH | QuestionNH, choices: list[int], words: str) -> None:
    with pytest.raises(MalformedError, match=f"^question 1: .*{words}"):
        create_ballot(election_of(question), CODE, [choices], SystemRng())


def test_the_number_of_answers_is_the_number_of_questions() -> None:
    with pytest.raises(MalformedError, match="0 answers to 3 questions"):
        create_ballot(ELECTION, CODE, [], SystemRng())


def test_an_election_without_questions_has_ballots_too() -> None:
    empty: Election = election_of()
    check_ballot(empty, create_ballot(empty, CODE, [], SystemRng()), None)
