"""Whole elections, counted by Belenios's tool and checked by us, and the other way round."""

from __future__ import annotations

from pathlib import Path

import pytest

from ballot.protocol.archive import ArchiveWriter, Entry, read_archive
from ballot.protocol.ballots import create_ballot
from ballot.protocol.credentials import new_code, public
from ballot.protocol.decryption import check_partial_decryption, combine_factors, gen_partial_decryption
from ballot.protocol.group import SeededRng
from ballot.protocol.messages import (
    Ballot,
    Election,
    EncryptedTally,
    Event,
    Owned,
    PartialDecryption,
    PublicCredentials,
    Result,
    SetupData,
    Shuffle,
    SizedEncryptedTally,
    Trustees,
)
from ballot.protocol.result import check_result, compute_result
from ballot.protocol.shuffle import check_shuffle, shuffle_tally
from ballot.protocol.tally import compute_encrypted_tally, merge_nh_ciphertexts
from ballot.protocol.trustees import check_trustees
from tests.interop import by_belenios
from tests.support.belenios import installed, run
from tests.support.keyholders import MOTION, RANKED, UP_TO_TWO, key_holders
from tests.support.need import missing

pytestmark = pytest.mark.belenios_tool

# shape, as in key_holders; the owners who open
SHAPES = [("2", (1, 2)), ("3", (1, 2, 3)), ("2/3", (1, 3)), ("3/5", (1, 2, 4)), ("3/5", (1, 2, 3, 4, 5)), ("1 2/3", (1, 2, 4))]
VOTES = [
    [[0, 1, 0], [1, 2, 3], [1, 1, 0]],
    [[1, 0, 0], [0, 0, 0], [0, 0, 0]],
    [[0, 0, 1], [3, 1, 2], [0, 1, 0]],
    [[0, 1, 0], [0, 1, 0], [1, 0, 0]],
]


def _tools() -> list[Path]:
    return list(installed()) or [missing("belenios-tool", "bash .ci/belenios-tool .tools/trixie trixie")]


def _our_archive(folder: Path, shape: str, opening: tuple[int, ...]) -> Path:
    """An election of every kind of question, with key-holders of this shape."""
    rng = SeededRng(f"ours {shape}".encode())
    trustees, secrets = key_holders(shape, rng)
    keys = check_trustees(trustees)
    election = Election(1, "Nothing.", "Ours", "Ed25519", keys.public_key, (MOTION, RANKED, UP_TO_TWO, RANKED), "ourE1ection111")
    codes = [new_code(rng) for _ in range(len(VOTES) + 1)]
    credentials = PublicCredentials.from_points([public(election.uuid, code) for code in codes])
    path = folder / f"{election.uuid}.bel"
    with path.open("wb") as file:
        archive = ArchiveWriter(file, 1_750_000_000)
        setup = SetupData(*(archive.add_object(part.to_bytes()) for part in (election, trustees, credentials)))
        archive.add_event("Setup", archive.add_object(setup.to_bytes()))
        ballots = [create_ballot(election, code, [*vote, vote[1]], rng) for code, vote in zip(codes, VOTES, strict=False)]
        for ballot in ballots:
            archive.add_event("Ballot", archive.add_object(ballot.to_bytes()))
        archive.add_event("EndBallots")
        tally, size = compute_encrypted_tally(election, ballots)
        archive.add_object(tally.to_bytes())
        archive.add_event("EncryptedTally", archive.add_object(size.to_bytes()))
        for owner in opening:
            shuffle = shuffle_tally(election, tally, rng)
            archive.add_event("Shuffle", archive.add_object(Owned(owner, archive.add_object(shuffle.to_bytes())).to_bytes()))
            tally = merge_nh_ciphertexts(election, tally, shuffle.ciphertexts)
        archive.add_event("EndShuffles")
        shares = {}
        for owner in opening:
            share = gen_partial_decryption(election.fingerprint, tally, secrets[owner - 1], rng)
            archive.add_event("PartialDecryption", archive.add_object(Owned(owner, archive.add_object(share.to_bytes())).to_bytes()))
            shares[owner] = share
        result = compute_result(election, tally, combine_factors(keys, tally, shares), len(ballots))
        archive.add_event("Result", archive.add_object(result.to_bytes()))
    return path


@pytest.mark.parametrize(("shape", "opening"), SHAPES)
def test_belenios_verifies_elections_of_ours(shape: str, opening: tuple[int, ...], tmp_path: Path) -> None:
    _our_archive(tmp_path, shape, opening)
    for tool in _tools():
        done = run(tool, "election", "verify", "--dir", tmp_path)
        assert (0, True) == (done.returncode, "all checks passed" in done.stderr), done.stderr


@pytest.mark.parametrize(("shape", "opening"), SHAPES)
def test_the_tally_is_the_tools_to_the_byte_and_everything_after_it_checks(shape: str, opening: tuple[int, ...], tmp_path: Path) -> None:
    singles = sum(int(part) for part in shape.split() if "/" not in part)
    group = next((tuple(map(int, part.split("/"))) for part in shape.split() if "/" in part), None)
    questions = [by_belenios.MOTION, by_belenios.RANKED, by_belenios.RANKED]
    votes = [[vote[0], vote[1], vote[1][::-1]] for vote in VOTES]
    tool = _tools()[0]
    path = by_belenios.run_with_belenios(
        tool, tmp_path / "theirs", questions, votes,
        singles=singles, threshold=group, decrypting=opening, again=[0],  # type: ignore[arg-type]
    )
    objects: dict[str, bytes] = {}
    ballots: list[Ballot] = []
    shares: dict[int, PartialDecryption] = {}
    election: Election
    tally: EncryptedTally
    with path.open("rb") as file:
        for entry in read_archive(file):
            if not isinstance(entry, Entry):
                continue
            if entry.kind == "data":
                objects[entry.hash] = entry.data
                continue
            event = Event.parse(entry.data)
            payload = objects[event.payload] if event.payload else b""
            match event.type:
                case "Setup":
                    setup = SetupData.parse(payload)
                    election = Election.parse(objects[setup.election])
                    keys = check_trustees(Trustees.parse(objects[setup.trustees]))
                    assert election.public_key == keys.public_key
                case "Ballot":
                    ballots.append(Ballot.parse(payload))
                case "EncryptedTally":
                    tally, size = compute_encrypted_tally(election, ballots)
                    assert payload == size.to_bytes()
                    assert len(VOTES) == size.num_tallied
                    assert objects[SizedEncryptedTally.parse(payload).encrypted_tally] == tally.to_bytes()
                case "Shuffle":
                    owned = Owned.parse(payload)
                    shuffle = Shuffle.parse(objects[owned.payload])
                    check_shuffle(election, tally, shuffle, owner=owned.owner)
                    tally = merge_nh_ciphertexts(election, tally, shuffle.ciphertexts)
                case "PartialDecryption":
                    owned = Owned.parse(payload)
                    share = PartialDecryption.parse(objects[owned.payload])
                    key = keys.of_owner(owned.owner).public_key
                    check_partial_decryption(election.fingerprint, tally, key, share, owner=owned.owner)
                    shares[owned.owner] = share
                case "Result":
                    factors = combine_factors(keys, tally, shares)
                    result = Result.parse(payload)
                    opened = check_result(election, tally, factors, len(VOTES), result)
                    assert (0, 0, 0) == opened.not_canonical
                    assert (1, 2, 1) == result.result[0]
                    assert sorted(tuple(vote[1]) for vote in VOTES) == sorted(result.result[1])
                    assert set(opening) == set(shares)
