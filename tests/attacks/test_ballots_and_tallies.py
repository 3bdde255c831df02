"""Attacks on ballots and tallies, each through the door that an attacker would use and named after its row of the table in README.md."""

from __future__ import annotations

import hashlib
import json
import os
import subprocess
from base64 import b64encode
from collections.abc import Callable
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest

from ballot.cli import main
from ballot.keyholder import write_key
from ballot.protocol import credentials, proofs, shuffle
from ballot.protocol.ballots import ballot_hash, create_ballot
from ballot.protocol.elgamal import encrypt_integer
from ballot.protocol.group import G, SeededRng, hash_to_scalar
from ballot.protocol.messages import Ballot, Signature
from ballot.protocol.proofs import sign
from ballot.services import board, lifecycle, registrar
from ballot.services.mail import Asked, invitation
from ballot.web import build
from tests.attacks.conftest import Target
from tests.elections import MOTION, RANKED, Society
from tests.keyholders.boards import PASSPHRASE, practice
from tests.services.world import CLOSES, OFFICER
from tests.verifier.hostile import CASES, POINTS, Hostile
from tests.web.conftest import Visitor, text_of
from tests.web.test_journey import freeze, make_ballot, make_meeting, upload

ROOT = Path(__file__).parents[2]


def signed(target: Target, uuid: str, member: int, ballot: Ballot) -> bytes:
    """The ballot under the sound signature of this member."""
    secret = credentials.secret(uuid, registrar.voting_code(target.site.keys, target.members[member]))
    bare = replace(ballot, credential=G**secret, signature=None)
    return replace(bare, signature=Signature(ballot_hash(bare), sign(ballot_hash(bare), secret, target.world.rng))).to_bytes()


def test_ballot_copying(target: Target) -> None:
    uuid, (ann, ben, *_) = target.uuids[0], target.members
    original = target.ballot(uuid, ann)
    assert 200 == target.cast(uuid, ann, original).status_code
    answers = Ballot.parse(original).answers
    mine = Ballot.parse(target.ballot(uuid, ben))
    assert "invalid-proof" == target.refused(uuid, ben, signed(target, uuid, 1, replace(mine, answers=answers)))
    for copied in range(len(answers)):  # one answer is enough
        mixed = tuple(theirs if i == copied else own for i, (theirs, own) in enumerate(zip(answers, mine.answers, strict=True)))
        assert "invalid-proof" == target.refused(uuid, ben, signed(target, uuid, 1, replace(mine, answers=mixed)))
    assert "not-in-electorate" == target.refused(uuid, ben, original)
    again = signed(target, uuid, 0, Ballot.parse(original))
    assert again != original
    assert "already-voted" == target.refused(uuid, ann, again)
    assert "already-voted" == target.refused(uuid, ann, target.ballot(uuid, ann))
    before = target.height(uuid)
    assert target.receipts[0] == target.cast(uuid, ann, original).get_json()
    assert before == target.height(uuid)


def test_replay_across_elections(target: Target) -> None:
    ballots = {(uuid, member.handle): target.ballot(uuid, member) for uuid in target.uuids for member in target.members[:3]}
    for (made_for, author), uuid, caster in product(ballots, target.uuids, target.members[:3]):
        if (made_for, author) != (uuid, caster.handle):
            assert target.refused(uuid, caster, ballots[made_for, author]) in {"invalid-ballot", "not-in-electorate"}
    # Under the other election's name, with a signature made anew: the proofs name the election they were made in.
    here, there = target.uuids
    moved = replace(
        Ballot.parse(ballots[there, target.members[0].handle]),
        election_uuid=here,
        election_hash=board.load_setup(target.site.database, here).election.fingerprint,
    )
    assert "invalid-proof" == target.refused(here, target.members[0], signed(target, here, 0, moved))
    for (uuid, author), ballot in ballots.items():
        (caster,) = [member for member in target.members if member.handle == author]
        assert 200 == target.cast(uuid, caster, ballot).status_code



@pytest.mark.parametrize("act", ["shuffle", "decrypt"])
def test_tally_of_a_chosen_few(act: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """`ballot trustee` on a box of four; on one closed early; and on a second, different box of the same ballot."""
    phrase, box, key = (tmp_path / name for name in ("phrase", "box.bel", "1.key"))
    phrase.write_text(PASSPHRASE + "\n")

    def ask(archive: bytes) -> tuple[int, str]:
        box.write_bytes(archive)
        capsys.readouterr()
        arguments = ["--key", str(key), "--archive", str(box), "--out", str(tmp_path), "--passphrase-file", str(phrase)]
        status = main(["trustee", act, *arguments, "--yes", "--jobs", "1"])
        return status, capsys.readouterr().err

    plan: dict[str, Any] = {"questions": (RANKED,) if act == "shuffle" else (MOTION,), "trustees": 1, "threshold": None}
    few = practice(**plan, voters=4, declared=False, seed=b"attack few")
    write_key(key, few.key(1), PASSPHRASE)
    status, why = ask(few.until("EncryptedTally"))
    assert (2, True) == (status, "fewer than 5" in why), why

    key.unlink()
    many = practice(**plan, voters=7, seed=b"attack many")
    write_key(key, many.key(1), PASSPHRASE)
    for broken in (many.until("Ballot", 6), many.until("EndBallots")):  # not closed; closed, and nothing to open yet
        assert ask(broken)[0] in {1, 2}
    assert [] == list(tmp_path.glob("*.json")), "nothing was made of any of them"
    assert 0 == ask(many.until("EncryptedTally"))[0]
    status, why = ask(many.closed_after(6))  # the difference of the two would be one member's vote
    assert (2, True) == (status, "another tally" in why), why


def test_ranking_as_signature(target: Target, returning_officer: Visitor) -> None:
    """Set-up compares the number of possible rankings with the electorate; what an invalid ranking says is never shown."""
    meeting = make_meeting(returning_officer)
    upload(returning_officer, meeting)
    freeze(returning_officer, meeting)
    names = "\n".join(f"Candidate {letter}" for letter in "ABCDEFGHIJKL")
    fields = {"question-wording": "Committee", "question-seats": "2", "question-choices": names, "question-rule": "scottish-2011"}
    uuid = make_ballot(returning_officer, meeting, kind="committee", practice="y", **fields)
    page = text_of(returning_officer.get(f"/officer/e/{uuid}/lock"))
    assert "12 choices can be ranked in 1,302,061,345 ways, and 6 members can vote" in page


@pytest.mark.parametrize("name", ["the length of a sealed ballot tells nothing about the choice"])
def test_length_and_timing_leaks(name: str) -> None:
    """120 casts for each choice (BALLOT_LENGTH_CASTS=300 for more), sealed by the booth's own code: one distribution."""
    build.install_libraries()
    command = [*build.node_command(), "--test", f"--test-name-pattern={name}", str(ROOT / "tests/js/booth.test.js")]
    done = subprocess.run(command, env={"BALLOT_LENGTH_CASTS": "120", **os.environ}, capture_output=True, text=True, check=False)
    printed = done.stdout.replace("ℹ", "#")
    assert (0, True, True) == (done.returncode, "\n# pass 1\n" in printed, "\n# fail 0\n" in printed), printed[-3000:]


# --- what is proven ---------------------------------------------------------------------------------------------------------


def challenge(prove: Callable[..., object], *arguments: Any) -> int:
    """The last challenge that is hashed while this proof is made, with the same randomness each time."""
    found: list[int] = []
    with pytest.MonkeyPatch.context() as patch:
        for module in (proofs, shuffle):
            patch.setattr(module, "hash_to_scalar", lambda text: found.append(hash_to_scalar(text)) or found[-1])
        prove(*arguments, SeededRng(b"the same"))
    return found[-1]


def _statements() -> list[Any]:
    key, other = G**5, G**7
    one, two = (encrypt_integer(key, 0, r) for r in (3, 4))
    return [
        pytest.param(proofs.prove_possession, (5,), (7,), id="key"),
        pytest.param(proofs.sign, ("hash", 5), ("other hash", 5), id="signature"),
        pytest.param(proofs.prove_raweg, ("context", key, one, 3), ("other context", other, two, 3), id="ranking"),
        pytest.param(proofs.prove_typed_code, ("uuid", "nonce", 5), ("other uuid", "other nonce", 7), id="typed code"),
        pytest.param(
            proofs.iprove, ("context", key, one, 3, 0, (0, 1)), ("other context", other, two, 3, 0, (0, 2)), id="permitted value"
        ),
        pytest.param(
            shuffle.gen_shuffle_proof,
            ([one, two], [two, one], [1, 2], [1, 0], key, "fingerprint"),
            ([two, two], [one, one], [1, 2], [1, 0], other, "another"),
            id="shuffle",
        ),
    ]


@pytest.mark.parametrize(("prove", "honest_input", "changed"), _statements())
def test_weak_fiat_shamir(prove: Callable[..., object], honest_input: tuple[Any, ...], changed: tuple[Any, ...]) -> None:
    """For each hash, each input changed alone gives other challenges (a companion's: tests/protocol/test_decryption.py)."""
    before = challenge(prove, *honest_input)
    assert before == challenge(prove, *honest_input)
    for place, value in enumerate(changed):
        if value != honest_input[place]:
            bent = (*honest_input[:place], value, *honest_input[place + 1 :])
            assert before != challenge(prove, *bent), (place, value)


def refused_by_the_command(hostile: Hostile, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, Any]:
    """The report of `ballot verify` on what the attacker published, which it refuses."""
    for suffix, content in ((".bel", hostile.archive), (".companion.json", hostile.companion), (".results.json", hostile.results)):
        (tmp_path / f"hostile{suffix}").unlink(missing_ok=True)
        if content is not None:
            (tmp_path / f"hostile{suffix}").write_bytes(content)
    capsys.readouterr()
    assert 1 == main(["verify", str(tmp_path / "hostile.bel"), "--json", "--jobs", "1"])
    report: dict[str, Any] = json.loads(capsys.readouterr().out)
    return report


@pytest.mark.parametrize("name", ["an_election_in_another_group", "a_group_that_the_attacker_describes"])
def test_group_chosen_by_attacker(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (case,) = [case for case in CASES if case.name == name]
    report = refused_by_the_command(case.hostile(), tmp_path, capsys)
    assert (case.rule.id, 0) == (report["rule"], report["height"])
    assert "group" in report["sentence"]


def points_of(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where a ballot's JSON holds points."""
    if isinstance(value, dict):
        return [found for key, inner in value.items() for found in points_of(inner, (*path, key))]
    if isinstance(value, list):
        return [found for key, inner in enumerate(value) for found in points_of(inner, (*path, key))]
    return [path] if isinstance(value, str) and len(value) == 64 else []


def test_subgroup_checks_missing(target: Target) -> None:
    """Each point of small order, in every encoding, in each field of a ballot that holds a point, sent to the service.

    The other messages: tests/verifier (by the command) and tests/js (in the browser's code).
    """
    uuid, member = target.uuids[0], target.members[0]
    good = json.loads(target.ballot(uuid, member))
    places = points_of(good)
    assert 9 == len(places)
    for place, (_, text) in product(places, POINTS.items()):
        target.world.clock.advance(seconds=2)  # a link that sends too many bad ballots has to wait
        bent = json.loads(json.dumps(good))
        inner = bent
        for step in place[:-1]:
            inner = inner[step]
        inner[place[-1]] = text
        answer = target.refused(uuid, member, json.dumps(bent, separators=(",", ":")).encode())
        assert answer in {"malformed", "invalid-ballot"}, (place, text)
    assert 200 == target.cast(uuid, member, json.dumps(good, separators=(",", ":")).encode()).status_code


@pytest.mark.parametrize("trapdoored", ["get_generators", "get_secondary_generator"])
def test_shuffle_forged_by_trapdoored_generators(
    trapdoored: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A prover who knows the logarithms of generators of his own makes a proof that holds for them, and for nobody else."""
    people = Society(seed=b"trapdoor")
    with monkeypatch.context() as patch:
        forged = {
            "get_generators": lambda count, executor=None: [G ** (i + 2) for i in range(count)],
            "get_secondary_generator": lambda: G**99,
        }
        patch.setattr(shuffle, trapdoored, forged[trapdoored])
        archive = people.hold().to_bytes()
    report = refused_by_the_command(Hostile(archive), tmp_path, capsys)
    assert ("shuffle-proof", 9) == (report["rule"], report["height"]), report["sentence"]


# --- the box ----------------------------------------------------------------------------------------------------------------


def test_stuffing_for_abstainers(target: Target, tmp_path: Path) -> None:
    """Ballots for members who did not vote: unsigned, wrongly signed, under unknown and used credentials."""
    uuid, (ann, ben, *_) = target.uuids[0], target.members
    good = Ballot.parse(target.ballot(uuid, ben))
    assert good.signature is not None
    assert 200 == target.cast(uuid, ann, target.ballot(uuid, ann)).status_code
    assert "malformed" == target.refused(uuid, ben, replace(good, signature=None).to_bytes())
    bent = replace(good.signature, proof=replace(good.signature.proof, response=good.signature.proof.response ^ 1))
    assert "invalid-proof" == target.refused(uuid, ben, replace(good, signature=bent).to_bytes())
    election = board.load_setup(target.site.database, uuid).election
    unknown = create_ballot(election, "12345-123456-12345-123456", ((0, 1, 0), (1, 2, 0, 0)), target.world.rng).to_bytes()
    assert "not-in-electorate" == target.refused(uuid, ben, unknown)
    assert "not-in-electorate" == target.refused(uuid, ben, target.ballot(uuid, ann))
    with target.site.database.read() as db:
        assert (1, len(target.members)) == board.turnout(db, uuid)
        assert 1 == len(board.ballots_on_board(db, uuid))
    listed = json.loads(target.client.get(f"/api/elections/{uuid}/credentials", base_url=target.site.config.public_url).data)
    assert len(target.members) == len(listed) == len(set(listed))


def test_late_early_lost_ballots(target: Target) -> None:
    """Before the hour and after it nothing is taken; each acknowledged ballot is in the published box, once; the box closes once."""
    uuid, clock = target.uuids[0], target.world.clock
    opens, now = clock.moment, clock.moment
    clock.moment = opens.replace(year=opens.year - 1)
    assert "not-open" == target.refused(uuid, target.members[0], target.ballot(uuid, target.members[0]))
    clock.moment = now
    for member in target.members[:6]:
        assert 200 == target.cast(uuid, member, target.ballot(uuid, member)).status_code
    clock.moment = CLOSES
    assert "closed" == target.refused(uuid, target.members[6], target.ballot(uuid, target.members[6]))
    lifecycle.close(target.site.database, uuid, OFFICER, clock.now())
    assert "closed" == target.refused(uuid, target.members[7], target.ballot(uuid, target.members[7]))
    published = target.client.get(f"/e/{uuid}.bel", base_url=target.site.config.public_url).data
    for receipt in target.receipts:
        assert 1 == published.count(f'"payload":"{_hex(receipt["ballot"])}"'.encode())
    assert 1 == published.count(b'"type":"EndBallots"')


def _hex(tracker: str) -> str:
    from base64 import b64decode

    return b64decode(tracker + "=").hex()


@pytest.mark.parametrize(
    "name", [case.name for case in CASES if case.rule.id.startswith(("result", "recount", "results")) and ":" not in case.name]
)
def test_result_not_from_these_ballots(name: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A result, or a file of results, that the ballots in the box do not give."""
    (case,) = [case for case in CASES if case.name == name]
    assert case.rule.id == refused_by_the_command(case.hostile(), tmp_path, capsys)["rule"]


def test_clash_several_voters_one_tracker(target: Target) -> None:
    """The receipt code is the hash of the very bytes that were sent, so two ballots have two; the booth stops without randomness."""
    uuid = target.uuids[0]
    sent = [target.ballot(uuid, member) for member in target.members[:3]]
    for member, ballot in zip(target.members, sent, strict=False):
        assert 200 == target.cast(uuid, member, ballot).status_code
    hashes = [b64encode(hashlib.sha256(ballot).digest()).decode().rstrip("=") for ballot in sent]
    assert hashes == [receipt["ballot"] for receipt in target.receipts]
    assert 3 == len(set(hashes))
    build.install_libraries()
    command = [*build.node_command(), "--test", "--test-name-pattern=without good randomness", str(ROOT / "tests/js/booth.test.js")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (0, True) == (done.returncode, "\n# pass 1\n" in done.stdout.replace("ℹ", "#")), done.stdout[-3000:]


def test_other_questions_for_some_voters(target: Target) -> None:
    """One fingerprint of the questions wherever somebody can look: the mail, the booth's list, the page, the box itself."""
    uuid = target.uuids[0]
    url = target.site.config.public_url
    served = target.client.get(f"/api/elections/{uuid}/election", base_url=url).data
    fingerprint = b64encode(hashlib.sha256(served).digest()).decode().rstrip("=")
    papers = target.post("/vote/open", {"token": target.token(target.members[0])}).get_json()["elections"]
    assert fingerprint == next(paper["fingerprint"] for paper in papers if paper["uuid"] == uuid)
    assert fingerprint in text_of(target.client.get(f"/e/{uuid}", base_url=url)).replace(" ", "")
    letter = invitation(
        meeting_id="m", meeting="AGM", handle="h", generation=0, name="Ann", address="ann@example.org", link="https://x/", code="c",
        opens=target.world.now, closes=CLOSES, elections=[Asked("Motions", fingerprint)], practice=False,
    )
    assert fingerprint in str(letter).replace(" ", "")
    assert all(json.loads(target.ballot(uuid, member))["election_hash"] == fingerprint for member in target.members[:2])


TWICE = b'{"token":"x","token":"y","ballot":"{}"}'


def test_duplicate_json_keys(target: Target, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """A key that stands twice is refused by every reader: requests, ballots, the box, its companion, questions."""
    uuid, member = target.uuids[0], target.members[0]
    good = target.ballot(uuid, member)
    assert "malformed" == target.refused(uuid, member, good.replace(b'{"election_uuid"', b'{"election_uuid":"x","election_uuid"', 1))
    assert "malformed" == target.refused(uuid, member, good.replace(b'"choices":', b'"choices":[],"choices":', 1))
    for path in (f"/vote/{uuid}/cast", "/vote/open", "/vote/resend", "/vote/typed/start", "/vote/typed/finish"):
        answer = target.post(path, TWICE)
        assert (400, "malformed") == (answer.status_code, answer.get_json()["error"]), path
    twice = [case for case in CASES if "key_twice" in case.name]
    assert twice
    for case in twice:
        assert case.words in refused_by_the_command(case.hostile(), tmp_path, capsys)["sentence"]
    (tmp_path / "questions.json").write_text('{"description":"","description":"","name":"x","questions":[]}')
    status = main(["simulate", str(tmp_path / "out"), "--voters", "1", "--questions", str(tmp_path / "questions.json")])
    assert (2, True) == (status, "twice" in capsys.readouterr().err)
