"""What a verification says of honest archives, whole and unfinished, and of checks that break down."""

from __future__ import annotations

import io
import json
import os
from concurrent.futures import ProcessPoolExecutor
from dataclasses import replace
from typing import Any

import pytest

from ballot.protocol.messages import Shuffle
from ballot.verifier import ballots as ballots_module
from ballot.verifier import verify as verify_module
from ballot.verifier.report import Outcome, Rankings, Totals
from ballot.verifier.rules import Rule, Step
from ballot.verifier.verify import NOTE_HEAD, NOTE_PLAIN, check_totals, is_ranking, verify_archive
from tests.elections import CHOOSE, DECLARED, MOTION, RANKED, Board, Society, honest, society
from tests.verifier.hostile import noise, with_share


def test_an_honest_election_is_verified_with_its_result() -> None:
    board = honest()
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert Outcome.VERIFIED is report.outcome, report.verdict()
    assert list(Step) == sorted(report.steps, key=lambda step: step.number)
    assert (7, 6, 6, 16, board.hash_at(16)) == (report.credentials, report.ballots, report.counted, report.height, report.head)
    assert report.result is not None
    motion, ranking = report.result
    assert isinstance(motion, Totals)
    assert ((2, 2), 2) == (motion.totals, motion.blank)
    assert isinstance(ranking, Rankings)
    assert sorted(tuple(society().choices(voter)[1]) for voter in range(6)) == sorted(ranking.rankings)
    assert 0 == ranking.invalid
    assert NOTE_PLAIN not in report.notes


def test_workers_change_nothing_in_the_report() -> None:
    board = honest()
    alone = verify_archive(board.file(), companion=board.companion_bytes())
    with ProcessPoolExecutor(2) as executor:
        together = verify_archive(board.file(), companion=board.companion_bytes(), executor=executor)
    assert alone == together


def test_very_many_ballots_are_checked_in_less_memory_with_the_same_report(monkeypatch: pytest.MonkeyPatch) -> None:
    board = honest()
    usual = verify_archive(board.file(), companion=board.companion_bytes())
    monkeypatch.setattr(verify_module, "_TOGETHER", 0)
    with ProcessPoolExecutor(2) as executor:
        assert usual == verify_archive(board.file(), companion=board.companion_bytes(), executor=executor)
    assert usual == verify_archive(board.file(), companion=board.companion_bytes())


@pytest.mark.parametrize(
    "people",
    [
        Society([MOTION, CHOOSE], group=None, seed=b"single"),
        Society([RANKED], singles=3, group=None, seed=b"three"),
        Society([RANKED, MOTION, RANKED], singles=0, group=(3, 5), seed=b"group"),
        Society(declarations=None, seed=b"plain"),
        Society([replace(RANKED, answers=tuple(map(str, range(30))))], seed=b"thirty"),
    ],
    ids=["single", "three single", "3 of 5", "plain v1", "thirty choices"],
)
def test_honest_elections_of_every_kind_are_verified(people: Society) -> None:
    board = people.hold()
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert Outcome.VERIFIED is report.outcome, report.verdict()


def test_more_shares_and_shuffles_than_needed_are_verified_too() -> None:
    board = society().hold(shuffling=[4, 1, 3, 2], decrypting=[4, 2, 1, 3])
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert Outcome.VERIFIED is report.outcome, report.verdict()


def test_an_archive_that_stops_after_any_event_is_unfinished_and_good() -> None:
    board = honest()
    for length in range(len(board.acts)):
        beginning = Board(board.acts[:length], board.companions)
        report = verify_archive(beginning.file(), companion=beginning.companion_bytes())
        assert Outcome.UNFINISHED is report.outcome, report.verdict()
        assert 3 == report.outcome.status
        assert report.result is None
        assert Step.RESULT not in report.steps


def test_an_archive_that_stops_is_still_refused_for_what_is_in_it() -> None:
    board = honest()
    board.acts[2:] = [replace(board.acts[2], payload=b"{}")]
    report = verify_archive(board.file())
    assert (Outcome.REFUSED, 2) == (report.outcome, report.height)


def test_a_plain_v1_election_is_verified_with_a_note_of_what_it_cannot_show() -> None:
    board = Society(declarations=None).hold()
    report = verify_archive(board.file())
    assert Outcome.VERIFIED is report.outcome
    assert {NOTE_PLAIN, NOTE_HEAD} <= set(report.notes)


def test_noise_in_a_plain_v1_election_is_counted_and_reported_and_never_shown() -> None:
    """Threats 1.3: no v1 verifier can tell who did it. The papers are counted as invalid."""
    people = Society(declarations=None)
    board = with_share(2, noise(people, 2, 1, 3), people)
    report = verify_archive(board.file())
    assert Outcome.VERIFIED is report.outcome, report.verdict()
    assert report.result is not None
    ranking = report.result[1]
    assert isinstance(ranking, Rankings)
    assert (5, 1) == (len(ranking.rankings), ranking.invalid)
    assert any("no encoding that voting software makes" in note for note in report.notes)
    published = json.loads(board.acts[-1].objects()[0])["result"][1]
    (strange,) = [values for values in published if not is_ranking(tuple(values))]
    assert str(strange) not in json.dumps(report.to_json())


def test_votes_of_an_invalid_ranking_are_counted_as_invalid() -> None:
    people = society()
    board = people.hold([people.ballot(0, [[0, 1, 0], [7, 7, 7]]), *people.ballots()[1:]])
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert report.result is not None
    ranking = report.result[1]
    assert isinstance(ranking, Rankings)
    assert 1 == ranking.invalid
    assert "7, 7, 7" not in json.dumps(report.to_json())
    assert any("1 of 6 papers" in note for note in report.notes)


def test_a_replaced_vote_does_not_count_where_the_election_permits_replacing() -> None:
    people = Society(seed=b"replace", declarations=replace(DECLARED, replace=True))
    ballots = [*people.ballots(), people.ballot(1, [[0, 1, 0], [3, 2, 1]], again="2"), people.ballot(1, [[0, 1, 0], [3, 2, 1]], again="3")]
    board = people.hold(ballots)
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert Outcome.VERIFIED is report.outcome, report.verdict()
    assert (8, 6) == (report.ballots, report.counted)
    assert report.result is not None
    motion = report.result[0]
    assert isinstance(motion, Totals)
    assert ((3, 1), 2) == (motion.totals, motion.blank)


def test_too_few_ballots_and_practice_are_noted() -> None:
    people = Society(seed=b"few", voters=4, declarations=replace(DECLARED, practice=True))
    board = people.hold()
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert Outcome.VERIFIED is report.outcome
    assert any("Only 3 ballots" in note for note in report.notes)
    assert any("practice" in note for note in report.notes)


def test_events_seen_before_are_found_again() -> None:
    board = honest()
    pins = [(height, board.hash_at(height)) for height in (0, 5, 16)]
    report = verify_archive(board.file(), companion=board.companion_bytes(), pins=pins)
    assert Outcome.VERIFIED is report.outcome
    assert NOTE_HEAD not in report.notes


def test_companions_of_an_election_that_does_not_require_them_are_checked_all_the_same() -> None:
    board = honest()
    people = Society(declarations=None)
    report = verify_archive(people.hold().file(), companion=board.companion_bytes())
    assert Outcome.REFUSED is report.outcome


class UnforeseenError(Exception):
    pass


def broken(*_: Any, **__: Any) -> Any:
    raise UnforeseenError("nobody thought of this")


CHECKS = [
    (verify_module, "check_trustees"),
    (verify_module, "split_description"),
    (verify_module, "shuffles_hold"),
    (verify_module, "merge_nh_ciphertexts"),
    (verify_module, "check_partial_decryption"),
    (verify_module, "check_companion"),
    (verify_module, "combine_factors"),
    (verify_module, "check_result"),
    (verify_module, "check_totals"),
    (ballots_module, "check_ballot"),
]


@pytest.mark.parametrize(("module", "name"), CHECKS, ids=lambda value: value if isinstance(value, str) else "")
@pytest.mark.parametrize("error", [UnforeseenError, MemoryError, AssertionError, StopIteration, RecursionError, KeyError])
def test_a_check_that_breaks_down_is_a_refusal(module: Any, name: str, error: type[Exception], monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any, **__: Any) -> Any:
        raise error("nobody thought of this")

    monkeypatch.setattr(module, name, fail)
    board = honest()
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert Outcome.REFUSED is report.outcome
    assert report.refusal is not None
    assert Rule.INTERNAL.id == report.refusal.rule
    assert error.__name__ in report.sentence


@pytest.mark.parametrize(("module", "name"), CHECKS[2:8], ids=lambda value: value if isinstance(value, str) else "")
def test_a_check_that_breaks_down_in_a_thread_is_a_refusal(module: Any, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, name, broken)
    board = honest()
    with ProcessPoolExecutor(1) as executor:
        report = verify_archive(board.file(), companion=board.companion_bytes(), executor=executor)
    assert (Outcome.REFUSED, "internal") == (report.outcome, report.refusal and report.refusal.rule)


def test_a_worker_that_dies_is_a_refusal() -> None:
    board = honest()
    with ProcessPoolExecutor(1) as executor:
        executor.submit(os._exit, 1)
        report = verify_archive(board.file(), companion=board.companion_bytes(), executor=executor)
    assert (Outcome.REFUSED, "internal") == (report.outcome, report.refusal and report.refusal.rule)


def test_a_step_left_out_is_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    board = honest()
    monkeypatch.setattr(verify_module._Verification, "tick_shuffles_and_decryptions", lambda self: None)
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert (Outcome.REFUSED, "internal") == (report.outcome, report.refusal and report.refusal.rule)


@pytest.mark.parametrize(
    ("totals", "words"),
    [
        ((1, 2), "above the number"),
        ((0, 7, 0), "above the number"),
        ((-1, 4, 3), "below 0"),
        ((3, 4, 0), "more votes than"),
        ((1, 3, 3), "do not add up"),
        ((1, 2, 2), "do not add up"),
    ],
)
def test_totals_out_of_range_are_noticed(totals: tuple[int, ...], words: str) -> None:
    assert check_totals(MOTION, (1, 2, 3), 6) is None
    wrong = check_totals(MOTION, totals, 6)
    assert wrong is not None
    assert words in wrong


def test_totals_of_a_question_without_blank_stay_within_its_limits() -> None:
    assert check_totals(CHOOSE, (3, 3, 6), 6) is None
    assert check_totals(CHOOSE, (1, 2, 2), 6) is not None  # fewer than one a ballot
    assert check_totals(CHOOSE, (5, 5, 3), 6) is not None  # more than two a ballot


def test_totals_out_of_range_are_a_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verify_module, "check_totals", lambda *_: "the votes do not add up")
    board = honest()
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert report.refusal is not None
    assert (Rule.RESULT_RANGE.id, 16) == (report.refusal.rule, report.refusal.height)


@pytest.mark.parametrize("values", [(), (0, 0), (1, 0, 0), (2, 1, 0), (3, 2, 1)])
def test_ranks_from_1_each_once_are_a_ranking(values: tuple[int, ...]) -> None:
    assert is_ranking(values)


@pytest.mark.parametrize("values", [(2, 0), (1, 1), (1, 3), (0, 255), (1, 2, 2)])
def test_gaps_and_repeats_are_no_ranking(values: tuple[int, ...]) -> None:
    assert not is_ranking(values)


def test_a_flipped_bit_anywhere_is_never_verified() -> None:
    """A bit in a thousand places of the file: refused or unusable, whatever it is; only the end can make it unfinished."""
    board = honest()
    data, companion = board.to_bytes(), board.companion_bytes()
    for number in range(0, len(data) * 8, len(data) * 8 // 400):
        bent = bytearray(data)
        bent[number // 8] ^= 1 << number % 8
        report = verify_archive(io.BytesIO(bytes(bent)), companion=companion)
        assert report.outcome in (Outcome.REFUSED, Outcome.UNUSABLE), number


def test_the_time_of_the_file_stands_outside_the_chain_and_is_noted() -> None:
    board = honest()
    report = verify_archive(board.file(), companion=board.companion_bytes())
    assert any("date stands outside" in note for note in report.notes)


def test_a_file_that_fails_while_it_is_read_is_unusable() -> None:
    class Failing(io.BytesIO):
        def read(self, size: int | None = -1) -> bytes:
            if self.tell() > 20_000:
                raise OSError(5, "Input/output error")
            return super().read(size)

    report = verify_archive(Failing(honest().to_bytes()))
    assert (Outcome.UNUSABLE, True) == (report.outcome, "Input/output error" in report.sentence)


def test_a_shuffle_is_parsed_once(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []
    parse = Shuffle.parse
    monkeypatch.setattr(Shuffle, "parse", lambda data: seen.append(1) or parse(data))
    board = honest()
    verify_archive(board.file(), companion=board.companion_bytes())
    assert 3 == len(seen)
