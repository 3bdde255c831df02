"""Interoperability, both ways, with a judge we did not write: Belenios's own command line, every version installed here.

Archives of ours pass `election verify`, and each of their ballots `election verify-ballot` beside an archive that holds the
Setup event alone. Archives made by the tool, with nothing of ours, pass `verify_archive`.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path

import pytest

from ballot.protocol.messages import Ballot, Question
from ballot.verifier.report import Outcome, Rankings, Totals
from ballot.verifier.verify import NOTE_PLAIN, verify_archive
from tests.elections import CHOOSE, DECLARED, MOTION, RANKED, Board, Society
from tests.interop import by_belenios
from tests.interop.by_belenios import run_with_belenios
from tests.support import belenios

pytestmark = pytest.mark.belenios_tool


@pytest.fixture(params=[(3, 0), (3, 2)], ids=["oldest", "3.2 or newer"])
def tool(request: pytest.FixtureRequest) -> Path:
    """Two generations of the tool: 3.0 without an online audit, and the last one that speaks v1."""
    return belenios.belenios_tool(request.param)


KINDS: dict[str, tuple[list[Question], int, tuple[int, int] | None]] = {
    "motions only, single": ([MOTION, CHOOSE], 1, None),
    "ranked only, three single": ([RANKED], 3, None),
    "both, 2 of 3": ([MOTION, RANKED], 0, (2, 3)),
    "both, 3 of 5": ([RANKED, MOTION], 0, (3, 5)),
    "both, single and 2 of 3": ([MOTION, RANKED, CHOOSE], 1, (2, 3)),
    "two ranked, single": ([RANKED, MOTION, RANKED], 1, None),
}


def hold(kind: str, seed: str) -> tuple[Society, Board]:
    questions, singles, group = KINDS[kind]
    people = Society(questions, seed=f"{kind}{seed}".encode(), singles=singles, group=group)
    return people, people.hold()


@pytest.mark.parametrize("kind", KINDS)
def test_belenios_verifies_our_archive_and_every_ballot_in_it(kind: str, tool: Path, tmp_path: Path) -> None:
    people, board = hold(kind, "ours")
    (tmp_path / f"{people.election.uuid}.bel").write_bytes(board.to_bytes())
    done = belenios.run(tool, "election", "verify", "--dir", tmp_path)
    assert (0, True) == (done.returncode, "all checks passed" in done.stderr + done.stdout), done.stderr

    setup_only = tmp_path / "setup"
    setup_only.mkdir()
    (setup_only / f"{people.election.uuid}.bel").write_bytes(Board(board.acts[:1]).to_bytes())
    for number, ballot in enumerate(people.ballots()):
        file = tmp_path / f"ballot{number}.json"
        file.write_bytes(ballot.to_bytes())
        done = belenios.run(tool, "election", "verify-ballot", "--dir", setup_only, "--ballot", file)
        assert 0 == done.returncode, done.stderr


def test_belenios_refuses_a_ballot_that_we_refuse(tool: Path, tmp_path: Path) -> None:
    """The judge does judge: the same command says no to another member's signature."""
    people, board = hold("motions only, single", "ours")
    (tmp_path / f"{people.election.uuid}.bel").write_bytes(Board(board.acts[:1]).to_bytes())
    forged = people.sign(people.ballot(1), 2)
    file = tmp_path / "ballot.json"
    file.write_bytes(forged.to_bytes())
    assert 0 != belenios.run(tool, "election", "verify-ballot", "--dir", tmp_path, "--ballot", file).returncode


def test_belenios_verifies_our_archive_with_replaced_votes(tool: Path, tmp_path: Path) -> None:
    people = Society(seed=b"replace", declarations=replace(DECLARED, replace=True))
    ballots: list[Ballot] = [*people.ballots(), people.ballot(1, [[0, 1, 0], [3, 2, 1]], again="second")]
    board = people.hold(ballots)
    (tmp_path / f"{people.election.uuid}.bel").write_bytes(board.to_bytes())
    assert 0 == belenios.run(tool, "election", "verify", "--dir", tmp_path).returncode
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert (Outcome.VERIFIED, 7, 6) == (report.outcome, report.ballots, report.counted)


M, R, C = by_belenios.MOTION, by_belenios.RANKED, by_belenios.CHOOSE
FOR, AGAINST, BLANK = [0, 1, 0], [0, 0, 1], [1, 0, 0]


def archive_by_belenios(kind: str, tool: Path, folder: Path) -> Path:
    match kind:
        case "motions only, single":
            return run_with_belenios(tool, folder, [M, C], [[FOR, [1, 0, 0]], [AGAINST, [0, 1, 1]], [BLANK, [0, 0, 1]]])
        case "ranked only, three single":
            return run_with_belenios(tool, folder, [R], [[[1, 2, 3]], [[2, 1, 0]], [[0, 0, 0]]], singles=3)
        case "both, 2 of 3":
            choices = [[FOR, [1, 2, 3]], [BLANK, [3, 2, 1]], [FOR, [1, 0, 0]]]
            return run_with_belenios(tool, folder, [M, R], choices, singles=0, threshold=(2, 3), decrypting=[1, 3])
        case "both, 3 of 5, with shares to spare":
            choices = [[[1, 2, 3], FOR], [[3, 2, 1], BLANK], [[1, 0, 0], FOR]]
            return run_with_belenios(tool, folder, [R, M], choices, singles=0, threshold=(3, 5), decrypting=[5, 1, 4, 2])
        case "both, single and 2 of 3":
            choices = [[FOR, [1, 2, 3]], [AGAINST, [1, 1, 9]], [FOR, [255, 0, 7]]]
            return run_with_belenios(tool, folder, [M, R], choices, singles=1, threshold=(2, 3), decrypting=[1, 2, 4])
        case _:
            return run_with_belenios(tool, folder, [M], [[FOR], [FOR], [BLANK]], again=[0, 2])


@pytest.mark.parametrize(
    "kind",
    [
        "motions only, single",
        "ranked only, three single",
        "both, 2 of 3",
        "both, 3 of 5, with shares to spare",
        "both, single and 2 of 3",
        "votes replaced",
    ],
)
def test_we_verify_an_archive_that_belenios_made(kind: str, tool: Path, tmp_path: Path) -> None:
    archive = archive_by_belenios(kind, tool, tmp_path)
    report = verify_archive(io.BytesIO(archive.read_bytes()))
    assert Outcome.VERIFIED is report.outcome, report.verdict()
    assert NOTE_PLAIN in report.notes
    assert report.result is not None
    match kind:
        case "motions only, single":
            motion, choice = report.result
            assert isinstance(motion, Totals)
            assert isinstance(choice, Totals)
            assert ((1, 1), 1, (1, 1, 2), None) == (motion.totals, motion.blank, choice.totals, choice.blank)
        case "ranked only, three single":
            (ranking,) = report.result
            assert isinstance(ranking, Rankings)
            assert ([(0, 0, 0), (1, 2, 3), (2, 1, 0)], 0) == (sorted(ranking.rankings), ranking.invalid)
        case "both, single and 2 of 3":
            _, ranking = report.result
            assert isinstance(ranking, Rankings)
            assert ([(1, 2, 3)], 2) == (sorted(ranking.rankings), ranking.invalid)
            assert any("2 of 3 papers are no ranking" in note for note in report.notes)
        case "votes replaced":
            assert (5, 3) == (report.ballots, report.counted)
            assert any("2 ballots were replaced" in note for note in report.notes)
