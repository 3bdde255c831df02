"""Watching a ballot box from outside: what may grow, what must not change, and that nothing is checked twice."""

from __future__ import annotations

import gc
import tracemalloc
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

import pytest

from ballot import cli_watch
from ballot.cli_watch import Kept, Watcher, compare_files
from ballot.errors import ArchiveRefusedError, SiteRefusedError, UnusableInputError, VerificationError
from ballot.protocol.messages import Ballot, sha256_hex
from ballot.protocol.receipts import Checkpoint, sign_checkpoint, verifier_key
from ballot.services.keys import Keys
from ballot.verifier import watched
from tests.elections import Act, Board, honest, society

UUID = society().election.uuid
ORIGIN = f"vote.example.org/e/{UUID}"
KEYS = Keys.from_seed(b"watch")


class Shown:
    """A site as `ballot watch` sees it: it shows the board up to a height, or whatever else it is told to."""

    def __init__(self, board: Board | None = None, *, until: int = 3) -> None:
        self.keys, self.asked = KEYS, list[str]()
        self.show(board or honest(), until=until)

    def show(self, board: Board, *, until: int | None = None) -> None:
        self.board = Board(board.acts[: len(board.acts) if until is None else until + 1], board.companions)
        self.objects = {sha256_hex(entry.data): entry.data for entry in self.board.entries()}

    def get(self, path: str) -> bytes:
        name = path.rpartition("/")[2]
        if name == "checkpoint-key":
            return verifier_key(ORIGIN, self.keys.receipt_public_bytes).encode() + b"\n"
        if name == "checkpoint":
            height = len(self.board.acts) - 1
            signed = Checkpoint(ORIGIN, height, self.board.hash_at(height))
            return sign_checkpoint(self.keys.receipt.sign, self.keys.receipt_public_bytes, signed).encode()
        if name == "companion":
            shares = sum(act.type == "PartialDecryption" for act in self.board.acts)
            return Board([], (self.board.companions or [])[:shares]).companion_bytes() or b""
        if name not in self.objects:
            raise SiteRefusedError("the site says: there is no such thing")
        self.asked.append(name)
        return self.objects[name]

    def download(self, _path: str, file: BinaryIO) -> None:
        file.write(self.board.to_bytes())


def watcher(site: Shown, path: Path, key: str | None = None) -> Watcher:
    return Watcher(site, UUID, ORIGIN, path, key, 1)  # type: ignore[arg-type]


@pytest.fixture
def checked(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[int]]:
    """The heights of the ballots whose proofs were checked."""
    heights: list[int] = []

    def check(election: bytes, first: int, ballots: list[bytes], *, keep_sums: bool) -> object:
        heights.extend(range(first, first + len(ballots)))
        return watched_check(election, first, ballots, keep_sums=keep_sums)

    watched_check = watched.check_chunk
    monkeypatch.setattr(watched, "check_chunk", check)
    return heights


@pytest.fixture(params=["one by one", "in a stream"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """How new events are read: few by their hashes, many from the archive."""
    if request.param == "in a stream":
        monkeypatch.setattr(cli_watch, "_ONE_BY_ONE", 0)
    return str(request.param)


def test_only_what_is_new_is_read_and_checked_also_after_a_restart(way: str, tmp_path: Path, checked: list[int]) -> None:
    path, site = tmp_path / "kept", Shown(until=2)
    first = watcher(site, path)
    assert "height 2" in first.look()
    assert [1, 2] == checked
    site.show(honest(), until=4)
    site.asked.clear()
    assert "2 new since the last look" in first.look()
    assert [1, 2, 3, 4] == checked
    assert (4 if way == "one by one" else 0) == len(site.asked)  # two events and two ballots
    site.show(honest(), until=6)
    assert "2 new since the last look" in watcher(site, path).look()
    assert [1, 2, 3, 4, 5, 6] == checked
    size = path.stat().st_size
    assert "0 new" in watcher(site, path).look()
    assert size == path.stat().st_size, "a look that finds nothing new adds nothing"


def test_the_whole_election_is_watched_to_its_result(way: str, tmp_path: Path, checked: list[int]) -> None:
    site, path = Shown(until=0), tmp_path / "kept"
    for height in range(17):
        site.show(honest(), until=height)
        assert f"height {height}," in watcher(site, path).look()
    assert [1, 2, 3, 4, 5, 6] == checked


def test_a_rewind(way: str, tmp_path: Path) -> None:
    site, path = Shown(until=4), tmp_path / "kept"
    watcher(site, path).look()
    site.show(honest(), until=3)
    for _ in range(2):  # and again, as long as the box is shorter
        with pytest.raises(VerificationError, match="REWIND"):
            watcher(site, path).look()
    site.show(honest(), until=5)
    assert "1 new" in watcher(site, path).look()
    assert 2 == path.read_text().count('"refused":"REWIND'), "the signed evidence is kept"


def swapped() -> Board:
    """The same election with two ballots in another order: everything holds but that it is another box."""
    board = honest()
    board.acts[2], board.acts[3] = board.acts[3], board.acts[2]
    return board


@pytest.mark.parametrize("until", [4, 5, 7])
def test_a_fork(way: str, tmp_path: Path, until: int) -> None:
    site, path = Shown(until=4), tmp_path / "kept"
    watcher(site, path).look()
    site.show(swapped(), until=until)
    with pytest.raises(VerificationError, match="FORK: at height"):
        watcher(site, path).look()
    site.show(honest(), until=until)
    watcher(site, path).look()


def test_an_object_that_is_not_what_its_name_says_or_is_not_shown(tmp_path: Path) -> None:
    site = Shown(until=4)
    name = sha256_hex(site.board.act("Ballot", 2).objects()[0])
    site.objects[name] += b" "
    with pytest.raises(VerificationError, match="something else"):
        watcher(site, tmp_path / "kept").look()
    del site.objects[name]
    with pytest.raises(VerificationError, match="does not show what its own chain names"):
        watcher(site, tmp_path / "kept").look()


def test_an_archive_that_is_not_the_signed_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cli_watch, "_ONE_BY_ONE", 0)
    others = ((swapped(), "FORK: the site signed"), (Board(honest().acts[:3]), "REWIND: the site signed"), (Board([]), "REWIND"))
    for shown, words in others:
        site = Shown(until=4)
        monkeypatch.setattr(site, "download", lambda _, file, shown=shown: file.write(shown.to_bytes()))
        with pytest.raises(VerificationError, match=words):
            watcher(site, tmp_path / "kept").look()


def bad_ballots() -> list[tuple[str, Ballot]]:
    people = society()
    good = people.ballot(5)
    assert good.signature is not None
    proof = replace(good.signature.proof, response=good.signature.proof.response ^ 1)
    return [
        ("ballot-proof", replace(good, signature=replace(good.signature, proof=proof))),
        ("ballot-credential", society_of_others().ballot(0, election=people.election)),
        ("ballot-twice", people.ballot(0, again="once more")),
    ]


def society_of_others():  # type: ignore[no-untyped-def]
    from tests.elections import Society

    return Society(seed=b"others")


@pytest.mark.parametrize(("rule", "ballot"), bad_ballots(), ids=lambda value: value if isinstance(value, str) else "")
def test_a_bad_ballot(way: str, tmp_path: Path, rule: str, ballot: Ballot) -> None:
    site, path = Shown(until=4), tmp_path / "kept"
    watcher(site, path).look()
    board = honest()
    del board.acts[5:]
    board.acts.append(Act("Ballot", [], ballot.to_bytes()))
    site.show(board)
    with pytest.raises(ArchiveRefusedError) as caught:
        watcher(site, path).look()
    assert (rule, 5) == (caught.value.rule, caught.value.height)
    assert 4 == Kept.read(path, ORIGIN).box.height, "it is not counted as seen"


def test_a_bad_tally(tmp_path: Path) -> None:
    people = society()
    short = people.hold(tallied=people.ballots()[1:])
    site = Shown(short, until=7)
    watcher(site, tmp_path / "kept").look()
    site.show(short, until=8)
    with pytest.raises(ArchiveRefusedError, match="tally"):
        watcher(site, tmp_path / "kept").look()


def test_another_key_is_an_alarm(tmp_path: Path) -> None:
    site = Shown()
    watcher(site, tmp_path / "kept").look()
    site.keys = Keys.from_seed(b"somebody else")
    with pytest.raises(VerificationError, match="another checkpoint key"):
        watcher(site, tmp_path / "kept").look()
    with pytest.raises(VerificationError, match="another checkpoint key"):
        watcher(site, tmp_path / "new", verifier_key(ORIGIN, KEYS.receipt_public_bytes)).look()
    with pytest.raises(VerificationError, match="another checkpoint key"):
        watcher(site, tmp_path / "kept", verifier_key(ORIGIN, site.keys.receipt_public_bytes))


@pytest.mark.parametrize("junk", [b"[]\n", b"{}\n", b"\0\xff", b'{"key": "x"}\n', b'{"key": "x"}\n{"note": "y"}\n', b"\xff\n"])
def test_a_file_that_is_none_of_ours_is_refused_in_words(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "kept").write_bytes(junk)
    with pytest.raises(UnusableInputError, match="no file of this election's checkpoints"):
        watcher(Shown(), tmp_path / "kept")


def test_a_line_that_a_crash_cut_short_is_dropped_and_a_changed_one_is_refused(tmp_path: Path, checked: list[int]) -> None:
    site, path = Shown(until=2), tmp_path / "kept"
    watcher(site, path).look()
    whole = path.read_bytes()
    site.show(honest(), until=4)
    watcher(site, path).look()
    path.write_bytes(path.read_bytes()[:-30])
    assert "2 new" in watcher(site, path).look()
    assert [1, 2, 3, 4, 3, 4] == checked
    path.write_bytes(whole.replace(b'"height\\":2', b'"height\\":1'))
    with pytest.raises(UnusableInputError):
        watcher(site, path)


def test_two_watchers_compare_what_they_saw(tmp_path: Path) -> None:
    one, two, other = (tmp_path / name for name in ("one", "two", "other"))
    watcher(Shown(until=4), one).look()
    watcher(Shown(until=6), two).look()
    watcher(Shown(swapped(), until=5), other).look()
    kept = {path: Kept.read(path, ORIGIN) for path in (one, two, other)}
    assert "the same 5 events, and one 2 further" in compare_files(kept[one], kept[two])
    assert "and as far" in compare_files(kept[one], kept[one])
    for a, b in ((one, other), (other, two)):
        with pytest.raises(VerificationError, match="FORK: at height 2") as caught:
            compare_files(kept[a], kept[b])
        assert 2 == str(caught.value).count(f"\N{EM DASH} {ORIGIN} "), "both signed checkpoints are the proof"
    with pytest.raises(UnusableInputError):
        compare_files(kept[one], Kept.read(tmp_path / "nothing", ORIGIN))


def test_a_watcher_does_not_grow_while_nothing_happens(tmp_path: Path) -> None:
    """A day of looks every five minutes."""
    site = Shown(until=6)
    one = watcher(site, tmp_path / "kept")
    one.look()
    size = (tmp_path / "kept").stat().st_size
    for _ in range(10):
        one.look()
    tracemalloc.start()
    before = tracemalloc.take_snapshot()
    for _ in range(288):
        one.look()
    gc.collect()
    mine = [tracemalloc.Filter(False, tracemalloc.__file__)]
    after = tracemalloc.take_snapshot().filter_traces(mine)
    grown = sum(statistic.size_diff for statistic in after.compare_to(before.filter_traces(mine), "filename"))
    tracemalloc.stop()
    assert grown < 50_000, f"{grown} bytes more after 288 looks"
    assert size == (tmp_path / "kept").stat().st_size
