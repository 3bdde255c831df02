"""Watching a ballot box from outside: what may grow, and what must not change."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from ballot import cli_watch
from ballot.errors import MalformedError, UnusableInputError, VerificationError
from ballot.protocol.messages import Event, sha256_hex
from ballot.protocol.receipts import Checkpoint, sign_checkpoint, verifier_key
from ballot.services.keys import Keys

ORIGIN = "vote.example.org/e/1tSX2UxKGVahqZ"
KEYS = Keys.from_seed(b"watch")


def chain(length: int, *, other_from: int | None = None) -> list[Event]:
    events = [Event(0, "Setup", None, "0" * 64)]
    for height in range(1, length):
        payload = ("2" if other_from is not None and height >= other_from else "1") * 64
        events.append(Event(height, "Ballot", events[-1].hash, payload))
    return events


def at(events: list[Event]) -> Checkpoint:
    return Checkpoint(ORIGIN, events[-1].height, events[-1].hash)


def served(events: list[Event]) -> Callable[[str], bytes]:
    return {sha256_hex(event.to_bytes()): event.to_bytes() for event in events}.__getitem__


def test_a_box_that_only_grew_holds() -> None:
    assert 0 == cli_watch.compare(None, at(chain(5)), served(chain(5)))
    assert 0 == cli_watch.compare(at(chain(5)), at(chain(5)), served(chain(5)))
    assert 7 == cli_watch.compare(at(chain(5)), at(chain(12)), served(chain(12)))


def test_a_shorter_box_is_a_rewind() -> None:
    with pytest.raises(VerificationError, match="REWIND"):
        cli_watch.compare(at(chain(5)), at(chain(4)), served(chain(4)))


@pytest.mark.parametrize("length", [5, 6, 9])
def test_another_chain_is_a_fork(length: int) -> None:
    other = chain(length, other_from=3)
    with pytest.raises(VerificationError, match="FORK"):
        cli_watch.compare(at(chain(5)), at(other), served(other))


def test_an_event_that_is_not_what_its_name_says_is_a_fork() -> None:
    events = chain(8)
    lying = served(events)
    with pytest.raises(VerificationError, match="FORK"):
        cli_watch.compare(
            at(chain(5)), at(events), lambda identity: lying(identity) if identity == events[-1].hash else events[3].to_bytes()
        )


class Shown:
    """A site as `ballot watch` sees it."""

    def __init__(self, events: list[Event]) -> None:
        self.events, self.keys = events, KEYS

    def get(self, path: str) -> bytes:
        if path.endswith("/checkpoint-key"):
            return verifier_key(ORIGIN, self.keys.receipt_public_bytes).encode() + b"\n"
        if path.endswith("/checkpoint"):
            return sign_checkpoint(self.keys.receipt.sign, self.keys.receipt_public_bytes, at(self.events)).encode()
        return served(self.events)(path.rpartition("/")[2])


def look(shown: Shown, path: Path, key: str | None = None) -> str:
    return cli_watch._look(shown, "1tSX2UxKGVahqZ", ORIGIN, path, key)  # type: ignore[arg-type]


def test_checkpoints_are_kept_and_compared_after_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "kept"
    site = Shown(chain(3))
    assert "first look" in look(site, path)
    site.events = chain(6)
    assert "3 new" in look(site, path)
    assert 3 == len(path.read_text().splitlines())
    site.events = chain(7, other_from=2)
    with pytest.raises(VerificationError, match="FORK"):
        look(site, path)
    assert 4 == len(path.read_text().splitlines())  # both sides of the contradiction are kept, signed


def test_another_key_is_an_alarm(tmp_path: Path) -> None:
    site = Shown(chain(3))
    look(site, tmp_path / "kept")
    site.keys = Keys.from_seed(b"somebody else")
    with pytest.raises(VerificationError, match="another checkpoint key"):
        look(site, tmp_path / "kept")
    with pytest.raises(VerificationError, match="another checkpoint key"):
        look(site, tmp_path / "new", verifier_key(ORIGIN, KEYS.receipt_public_bytes))


@pytest.mark.parametrize("junk", [b"", b"[]\n", b"{}\n", b"\0\xff", b'{"key": "x"}\n', b'{"key": "x"}\n{"note": "y"}\n'])
def test_a_file_that_is_none_of_ours_is_refused_in_words(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "kept").write_bytes(junk)
    with pytest.raises((UnusableInputError, VerificationError, MalformedError)):
        look(Shown(chain(3)), tmp_path / "kept")
