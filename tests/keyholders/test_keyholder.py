"""What a key-holder's program refuses before it touches a ballot."""

from __future__ import annotations

import io
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from ballot.errors import MalformedError, RefusedError, UnusableInputError, VerificationError, WrongPassphraseError
from ballot.keyholder import KIND, Board, KeyFile, decrypt, prepare, read_board, record_path, shuffle, who
from ballot.protocol.archive import ArchiveWriter, pack_event, pack_object
from ballot.protocol.companion import check_companion
from ballot.protocol.decryption import check_partial_decryption
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import Event, Owned
from ballot.protocol.shuffle import check_shuffle
from ballot.sealed import seal
from tests.keyholders.boards import PASSPHRASE, Practice, practice
from tests.support.keyholders import MOTION

RNG = SystemRng()


def _read(data: bytes, companion: bytes | None = None) -> Board:
    return read_board(io.BytesIO(data), companion=companion)


# --- key files ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [
    KeyFile("SmaLLe1ection1", 1, "Ann Ö.", "single", None, 12345),
    KeyFile("SmaLLe1ection1", 2, "Bob", "threshold", "1" * 22, None),
    KeyFile("SmaLLe1ection1", 2, "Bob", "threshold", "1" * 22, 77),
])
def test_a_key_file_opens_again_and_says_whose_it_is(key: KeyFile) -> None:
    data = key.to_bytes(PASSPHRASE)
    assert key == KeyFile.from_bytes(data, PASSPHRASE)
    assert f"the key of {key.holder} for ballot SmaLLe1ection1" == who(data)
    assert "12345" not in repr(key)
    assert "1" * 22 not in repr(key)


def test_a_file_name_says_which_ballot_and_whose_key() -> None:
    assert "ballot-SmaLLe1ection1-1-ann-o.key" == KeyFile("SmaLLe1ection1", 1, "Ann Ö.", "single").name


@pytest.mark.parametrize(("kind", "about", "secret"), [
    ("mail merge", {"election": "SmaLLe1ection1", "owner": "1", "holder": "A", "key": "single"}, b'{"private_key":"5"}'),
    (KIND, {}, b"{}"),
    (KIND, {"election": "x", "owner": "1", "holder": "A", "key": "single"}, b'{"private_key":"5"}'),
    (KIND, {"election": "SmaLLe1ection1", "owner": "x", "holder": "A", "key": "single"}, b'{"private_key":"5"}'),
    (KIND, {"election": "SmaLLe1ection1", "owner": "1", "holder": "A", "key": "other"}, b'{"private_key":"5"}'),
    (KIND, {"election": "SmaLLe1ection1", "owner": "1", "holder": "A", "key": "single"}, b'{"private_key":5}'),
    (KIND, {"election": "SmaLLe1ection1", "owner": "1", "holder": "A", "key": "single"}, b'{"more":"5"}'),
    (KIND, {"election": "SmaLLe1ection1", "owner": "1", "holder": "A", "key": "single"}, b"[]"),
    (KIND, {"election": "SmaLLe1ection1", "owner": "1", "holder": "A", "key": "threshold"}, b'{"private_key":"5"}'),
    (KIND, {"election": "SmaLLe1ection1", "owner": "1", "holder": "A", "key": "threshold"}, b'{"seed":"5"}'),
    (KIND, {"election": "SmaLLe1ection1", "owner": "1", "holder": "A", "key": "threshold"}, b'{"seed":5}'),
])
def test_a_sealed_file_with_something_else_in_it_is_malformed(kind: str, about: dict[str, str], secret: bytes) -> None:
    with pytest.raises(MalformedError):
        KeyFile.from_bytes(seal(kind, about, secret, PASSPHRASE), PASSPHRASE)


def test_a_key_file_does_not_open_with_another_passphrase() -> None:
    with pytest.raises(WrongPassphraseError):
        KeyFile.from_bytes(KeyFile("SmaLLe1ection1", 1, "Ann", "single", None, 5).to_bytes(PASSPHRASE), "another passphrase")


def test_a_key_before_step_5_opens_nothing() -> None:
    with pytest.raises(RefusedError, match="step 5"):
        KeyFile("SmaLLe1ection1", 1, "Ann", "threshold", "1" * 22).decryption_key()
    with pytest.raises(RefusedError, match="single"):
        _ = KeyFile("SmaLLe1ection1", 1, "Ann", "single", None, 5).pki


# --- acts that are due ----------------------------------------------------------------------------------------------------


def test_holders_shuffle_and_decrypt_when_it_is_time(board: Practice, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    now = _read(board.until("EncryptedTally"))
    ready, shuffled = shuffle(now, board.key(3), path, RNG)
    assert 3 == ready.key.owner
    check_shuffle(now.election, ready.tally, shuffled, owner=3)
    with ThreadPoolExecutor(2) as pool:
        now = _read(board.until("EndShuffles"))
        ready, partial, companion = decrypt(now, board.key(3), path, RNG, pool)
    key = now.keys.of_owner(3).public_key
    check_partial_decryption(now.election.fingerprint, ready.tally, key, partial, owner=3)
    check_companion(now.election, ready.tally, key, partial, companion, owner=3)
    assert 0o600 == record_path(path).stat().st_mode & 0o777


def test_the_same_act_again_is_no_second_tally(board: Practice, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    now = _read(board.until("EndShuffles"))
    first = decrypt(now, board.key(1), path, RNG)[1]
    second = decrypt(_read(board.until("EndShuffles")), board.key(1), path, RNG)[1]
    assert first.decryption_factors == second.decryption_factors
    assert 1 == len(record_path(path).read_bytes().splitlines())


def test_a_motion_is_decrypted_without_shuffles(motion_board: Practice, tmp_path: Path) -> None:
    now = _read(motion_board.until("EncryptedTally"))
    decrypt(now, motion_board.key(1), tmp_path / "a.key", RNG)
    with pytest.raises(RefusedError, match="nothing needs shuffling"):
        shuffle(now, motion_board.key(1), tmp_path / "a.key", RNG)


def test_a_share_can_follow_others_shares(board: Practice, tmp_path: Path) -> None:
    now = _read(board.until("PartialDecryption"), _first_companion(board))
    assert frozenset({1}) == now.decrypted_by
    decrypt(now, board.key(2), tmp_path / "a.key", RNG)


def _first_companion(board: Practice) -> bytes:
    assert board.done.companions is not None
    return replace(board.done.companions, companions=board.done.companions.companions[:1]).to_bytes()


# --- acts that are not -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("kind", "act", "words"), [
    ("Setup", "shuffle", "voting is not closed"),
    ("Ballot", "decrypt", "voting is not closed"),
    ("EndBallots", "decrypt", "tally has not begun"),
    ("EncryptedTally", "decrypt", "still being shuffled"),
    ("Shuffle", "decrypt", "still being shuffled"),
    ("EndShuffles", "shuffle", "shuffling is finished"),
    ("Result", "decrypt", "published already"),
])
def test_an_act_too_early_or_too_late_is_refused(board: Practice, kind: str, act: str, words: str) -> None:
    companion = board.companions if kind == "Result" else None
    with pytest.raises(RefusedError, match=words):
        prepare(_read(board.until(kind), companion), board.key(3), act)  # type: ignore[arg-type]


def test_an_act_done_already_is_refused(board: Practice) -> None:
    with pytest.raises(RefusedError, match="already"):
        prepare(_read(board.until("Shuffle")), board.key(1), "shuffle")
    with pytest.raises(RefusedError, match="already"):
        prepare(_read(board.until("PartialDecryption"), _first_companion(board)), board.key(1), "decrypt")


def test_a_key_for_another_election_or_of_nobody_is_refused(board: Practice) -> None:
    now = _read(board.until("EndShuffles"))
    with pytest.raises(RefusedError, match="is for ballot"):
        prepare(now, replace(board.key(1), election="Another1111111"), "decrypt")
    with pytest.raises(RefusedError, match="none of the keys"):
        prepare(now, replace(board.key(1), private_key=5), "decrypt")


def test_the_archive_cannot_give_a_key_another_owner_number(board: Practice) -> None:
    now = _read(board.until("EndShuffles"))
    assert 2 == prepare(now, replace(board.key(2), owner=1), "decrypt").key.owner


# --- tally of a chosen few -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("voters", "declared"), [(4, False), (1, False)])
def test_fewer_than_five_ballots_are_not_opened(voters: int, declared: bool) -> None:
    few = practice(voters=voters, declared=declared, questions=(MOTION,), seed=b"few")
    with pytest.raises(RefusedError, match="fewer than 5"):
        prepare(_read(few.until("EncryptedTally")), few.key(1), "decrypt")


def test_fewer_are_opened_where_the_elections_own_text_says_so() -> None:
    few = practice(voters=3, questions=(MOTION,), seed=b"few")
    assert 3 == _read(few.until("EncryptedTally")).minimum
    prepare(_read(few.until("EncryptedTally")), few.key(1), "decrypt")


def test_a_board_that_contradicts_itself_is_refused(motion_board: Practice) -> None:
    now = _read(motion_board.until("EncryptedTally"))
    assert now.size is not None
    with pytest.raises(VerificationError, match="number of ballots"):
        prepare(replace(now, size=replace(now.size, num_tallied=6)), motion_board.key(1), "decrypt")
    with pytest.raises(RefusedError, match="not there yet"):
        prepare(replace(now, size=None), motion_board.key(1), "decrypt")


def test_five_are_enough() -> None:
    five = practice(voters=5, declared=False, questions=(MOTION,), seed=b"five")
    prepare(_read(five.until("EncryptedTally")), five.key(1), "decrypt")


def test_a_second_tally_of_the_same_election_is_refused_also_after_a_restart(motion_board: Practice, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    all_but_one = _read(motion_board.closed_after(6))
    assert 6 == all_but_one.report.counted
    decrypt(_read(motion_board.until("EncryptedTally")), motion_board.key(1), path, RNG)
    with pytest.raises(RefusedError, match="another tally"):
        decrypt(all_but_one, motion_board.key(1), path, RNG)
    other = tmp_path / "b.key"
    decrypt(all_but_one, motion_board.key(2), other, RNG)
    with pytest.raises(RefusedError, match="another tally"):
        decrypt(_read(motion_board.until("EncryptedTally")), motion_board.key(2), other, RNG)


def test_a_tally_shuffled_before_binds_the_decryption(board: Practice, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    shuffle(_read(board.closed_after(6)), board.key(1), path, RNG)
    with pytest.raises(RefusedError, match="another tally"):
        decrypt(_read(board.until("EndShuffles")), board.key(1), path, RNG)


def test_the_same_tally_shuffled_otherwise_is_not_opened_twice(board: Practice, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    now = _read(board.until("EndShuffles"))
    decrypt(now, board.key(1), path, RNG)
    assert now.tally is not None
    row = now.tally.ciphertexts[1]
    otherwise = replace(now, tally=replace(now.tally, ciphertexts=(now.tally.ciphertexts[0], row[::-1])))
    with pytest.raises(RefusedError, match="another tally"):
        decrypt(otherwise, board.key(1), path, RNG)


def test_another_election_is_another_matter(board: Practice, motion_board: Practice, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    decrypt(_read(board.until("EndShuffles")), board.key(1), path, RNG)
    decrypt(_read(motion_board.until("EncryptedTally")), motion_board.key(1), path, RNG)
    assert 2 == len(record_path(path).read_bytes().splitlines())


def test_a_line_cut_short_by_a_crash_is_dropped_and_a_damaged_record_opens_nothing(board: Practice, tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    now = _read(board.until("EndShuffles"))
    record_path(path).write_bytes(b'{"act":"dec')
    decrypt(now, board.key(1), path, RNG)
    whole = record_path(path).read_bytes()
    assert whole.startswith(b'{"act":"decrypt"')
    assert 1 == whole.count(b"\n")
    for damaged in (b"\xff\n", b"[]\n", b'{"act":"decrypt"}\n', b"\n" * (1 << 20)):
        record_path(path).write_bytes(damaged)
        with pytest.raises(UnusableInputError, match="cannot be read"):
            decrypt(now, board.key(1), path, RNG)
    with pytest.raises(UnusableInputError, match="without this record"):
        decrypt(now, board.key(1), tmp_path / "missing" / "a.key", RNG)


# --- broken archives ----------------------------------------------------------------------------------------------------------------


def test_a_broken_archive_is_refused_before_anything_else(board: Practice) -> None:
    whole = board.until("EndShuffles")
    for bent in (whole[:-700], whole[:3000] + b"\1" + whole[3001:]):
        with pytest.raises(VerificationError):
            _read(bent)
    for unusable in (b"", b"\0" * 2000, b"hello"):
        with pytest.raises(UnusableInputError):
            _read(unusable)


def test_an_early_close_is_seen(board: Practice) -> None:
    """EndBallots twice: the ballots between would not count."""
    data = board.until("EndBallots")
    last = next(e for e in reversed(board.entries()) if e.kind == "event" and Event.parse(e.data).type == "EndBallots")
    again = Event(Event.parse(last.data).height + 1, "EndBallots", last.hash)
    with pytest.raises(VerificationError, match=r"grammar|order"):
        _read(data + pack_event(again.to_bytes(), 1_750_000_000))


def test_a_shuffle_under_another_owners_name_is_seen(board: Practice) -> None:
    data = board.until("Shuffle")
    entries = board.entries()
    at = next(i for i, e in enumerate(entries) if e.kind == "event" and Event.parse(e.data).type == "Shuffle")
    owned = Owned.parse(entries[at - 1].data)
    again = Owned(1, owned.payload)
    event = Event(Event.parse(entries[at].data).height + 1, "Shuffle", entries[at].hash, entries[at - 1].hash)
    with pytest.raises(VerificationError):
        _read(data + pack_object(again.to_bytes(), 1_750_000_000) + pack_event(event.to_bytes(), 1_750_000_000))


def test_a_pin_that_is_gone_is_seen(board: Practice) -> None:
    with pytest.raises(VerificationError):
        read_board(io.BytesIO(board.until("EndShuffles")), pins=[(1, "0" * 64)])


def test_an_archive_that_changes_between_two_readings_is_refused(board: Practice) -> None:
    class Changing(io.BytesIO):
        def seek(self, *_: object) -> int:
            self.__init__(board.until("EndShuffles"))  # type: ignore[misc]
            return 0

    with pytest.raises(VerificationError, match="changed"):
        read_board(Changing(board.until("Shuffle")))


def test_an_archive_without_set_up_holds_nothing_to_do() -> None:
    out = io.BytesIO()
    ArchiveWriter(out, 1_750_000_000)
    with pytest.raises(UnusableInputError):
        _read(out.getvalue())
