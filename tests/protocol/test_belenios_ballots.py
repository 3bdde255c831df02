"""Ballots and belenios-tool: it accepts ours, we accept its own, and both refuse the same bent ones."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ballot.errors import BallotError
from ballot.protocol import credentials, elgamal
from ballot.protocol.ballots import check_ballot, create_ballot
from ballot.protocol.group import ONE, SeededRng, SystemRng, of_ints
from ballot.protocol.messages import AnswerNH, Ballot
from tests.support.belenios import run
from tests.vectors.make import CHOICES, FOLDER, QUESTIONS, UUID, election_of, write_setup_archive

pytestmark = pytest.mark.belenios_tool

CODES = [credentials.new_code(SeededRng(str(number).encode())) for number in range(4)]
ROUNDS = range(3)
EVERYTHING = election_of(*QUESTIONS.values())


def _choices(number: int) -> list[list[int]]:
    return [CHOICES[name][number % len(CHOICES[name])] for name in QUESTIONS]


def _accepts(tool: Path, folder: Path, ballot: bytes) -> bool:
    (folder / "ballot.json").write_bytes(ballot)
    return run(tool, "election", "verify-ballot", f"--dir={folder}", f"--ballot={folder / 'ballot.json'}").returncode == 0


def _generate(tool: Path, folder: Path, code: str, choices: list[list[int]]) -> bytes:
    (folder / "choice.json").write_text(json.dumps(choices))
    (folder / "code").write_text(code)
    done = run(tool, "election", "generate-ballot", f"--dir={folder}", f"--uuid={UUID}",
               f"--choice={folder / 'choice.json'}", f"--privcred={folder / 'code'}")  # fmt: skip
    assert 0 == done.returncode, done.stderr
    return done.stdout.strip().encode()


@pytest.mark.parametrize("name", QUESTIONS)
def test_belenios_accepts_our_ballots_of_every_kind_of_question(belenios_tool: Path, tmp_path: Path, name: str) -> None:
    election = election_of(QUESTIONS[name])
    write_setup_archive(tmp_path, election, CODES)
    for choices in CHOICES[name]:
        assert _accepts(belenios_tool, tmp_path, create_ballot(election, CODES[0], [choices], SystemRng()).to_bytes()), choices


@pytest.mark.parametrize("number", ROUNDS)
def test_each_accepts_the_other_s_ballot_on_all_questions_at_once(belenios_tool: Path, tmp_path: Path, number: int) -> None:
    write_setup_archive(tmp_path, EVERYTHING, CODES)
    assert _accepts(belenios_tool, tmp_path, create_ballot(EVERYTHING, CODES[number], _choices(number), SystemRng()).to_bytes())
    theirs = Ballot.parse(_generate(belenios_tool, tmp_path, CODES[number], _choices(number)))
    check_ballot(EVERYTHING, theirs, {credentials.public(UUID, code) for code in CODES})


def test_the_newest_tool_agrees(belenios_tool_online: Path, tmp_path: Path) -> None:
    write_setup_archive(tmp_path, EVERYTHING, CODES)
    assert _accepts(belenios_tool_online, tmp_path, create_ballot(EVERYTHING, CODES[1], _choices(1), SystemRng()).to_bytes())
    check_ballot(EVERYTHING, Ballot.parse(_generate(belenios_tool_online, tmp_path, CODES[2], _choices(2))), None)


def test_both_encode_rankings_alike(belenios_tool: Path, tmp_path: Path) -> None:
    """The empty ranking is the neutral element, in the tool as here."""
    election = election_of(QUESTIONS["a ranking"])
    write_setup_archive(tmp_path, election, CODES)
    secret = SeededRng(b"trustee").scalar()
    for choices in CHOICES["a ranking"]:
        answer = Ballot.parse(_generate(belenios_tool, tmp_path, CODES[0], [choices])).answers[0]
        assert isinstance(answer, AnswerNH)
        assert of_ints(choices) == elgamal.decrypt(secret, answer.choices)
    assert ONE == of_ints([0] * 10)


def test_both_refuse_the_same_bent_ballots(belenios_tool: Path, tmp_path: Path) -> None:
    vectors = json.loads((FOLDER / "ballots.json").read_text(encoding="utf-8"))
    valid = {case["name"]: case for case in vectors["valid"]}
    election_text = valid["mine"]["input"]["election"]
    election = election_of(QUESTIONS["a motion"], QUESTIONS["a ranking"])
    assert election.to_bytes().decode() == election_text
    write_setup_archive(tmp_path, election, [valid[name]["input"]["code"] for name in ("mine", "theirs")])
    assert _accepts(belenios_tool, tmp_path, valid["mine"]["expected"]["ballot"].encode())
    lax = set()
    for case in vectors["failing"]:
        if case["input"]["operation"] == "check" and _accepts(belenios_tool, tmp_path, case["input"]["ballot"].encode()):
            lax.add(case["name"])
    # The tool reads a file, and a file may end its last line; our bytes are those that the tracker is the hash of.
    assert {"a newline after"} == lax


def test_a_credential_that_is_not_listed_is_refused_by_both(belenios_tool: Path, tmp_path: Path) -> None:
    write_setup_archive(tmp_path, EVERYTHING, CODES[:2])
    ballot = create_ballot(EVERYTHING, CODES[3], _choices(0), SystemRng())
    assert not _accepts(belenios_tool, tmp_path, ballot.to_bytes())
    with pytest.raises(BallotError, match="list"):
        check_ballot(EVERYTHING, ballot, {credentials.public(UUID, code) for code in CODES[:2]})


def test_belenios_derives_the_same_public_credentials(belenios_tool: Path) -> None:
    for code in [*CODES, "11111-111111-11111-111111", "zzzzz-zzzzzz-zzzzz-zzzzzz"]:
        done = run(belenios_tool, "setup", "generate-credentials", "--group=Ed25519", f"--uuid={UUID}", f"--derive={code}")
        assert str(credentials.public(UUID, code)) == done.stdout.strip()


def test_belenios_wants_the_dashes_in_a_code(belenios_tool: Path) -> None:
    for code in (CODES[0].replace("-", ""), CODES[0][:-1]):
        arguments = ("setup", "generate-credentials", "--group=Ed25519", f"--uuid={UUID}", f"--derive={code}")
        assert run(belenios_tool, *arguments).returncode


def test_another_election_s_ballot_is_refused_by_both(belenios_tool: Path, tmp_path: Path) -> None:
    write_setup_archive(tmp_path, EVERYTHING, CODES)
    other = create_ballot(replace(EVERYTHING, name="Another"), CODES[0], _choices(0), SystemRng())
    assert not _accepts(belenios_tool, tmp_path, other.to_bytes())
    with pytest.raises(BallotError, match="fingerprint"):
        check_ballot(EVERYTHING, other, None)
