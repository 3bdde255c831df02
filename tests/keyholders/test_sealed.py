"""Files sealed with a passphrase."""

from __future__ import annotations

import json
import stat
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ballot.errors import MalformedError, RefusedError, UnusableInputError, WrongPassphraseError
from ballot.sealed import peek, read_file, seal, unseal, write_private

PASSPHRASE = "correct horse battery staple"


def _sealed() -> bytes:
    return seal("test", {"who": "Ann"}, b"secret", PASSPHRASE)


def test_what_was_sealed_opens_with_its_passphrase_only() -> None:
    data = _sealed()
    opened = unseal(data, PASSPHRASE)
    assert ("test", {"who": "Ann"}, b"secret") == (opened.kind, opened.about, opened.data)
    assert ("test", {"who": "Ann"}) == peek(data)
    assert b"secret" not in data
    with pytest.raises(WrongPassphraseError):
        unseal(data, PASSPHRASE + "!")


def test_a_passphrase_may_be_typed_on_another_keyboard() -> None:
    assert b"x" == unseal(seal("test", {}, b"x", "caf\u00e9 caf\u00e9 caf\u00e9"), "cafe\u0301 cafe\u0301 cafe\u0301").data


def test_two_files_with_one_passphrase_share_nothing() -> None:
    one, two = (json.loads(_sealed()) for _ in range(2))
    assert one["nonce"] != two["nonce"]
    assert one["kdf"]["salt"] != two["kdf"]["salt"]


def test_a_short_passphrase_is_refused() -> None:
    with pytest.raises(RefusedError, match="12 characters"):
        seal("test", {}, b"", "too short")


@pytest.mark.parametrize("length", [1, 2, 3])
def test_the_spare_bits_of_base64_are_zero(length: int) -> None:
    """A file with one of them set opened all the same."""
    whole = seal("test", {}, b"x" * length, PASSPHRASE).removesuffix(b"\n")
    last = whole.rindex(b'"}') - 1 - whole.count(b"=", whole.rindex(b'"data"'))
    for bit in range(8):
        raw = bytearray(whole)
        raw[last] ^= 1 << bit
        with pytest.raises((MalformedError, WrongPassphraseError)):
            unseal(bytes(raw), PASSPHRASE)


@given(st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_a_flipped_bit_is_refused(data: st.DataObject) -> None:
    raw = bytearray(_sealed().removesuffix(b"\n"))
    raw[data.draw(st.integers(0, len(raw) - 1))] ^= 1 << data.draw(st.integers(0, 7))
    with pytest.raises((MalformedError, WrongPassphraseError)):
        unseal(bytes(raw), PASSPHRASE)


@pytest.mark.parametrize(
    "change",
    [
        {"kind": "other"},
        {"about": {"who": "Bob"}},
        {"about": {"who": 5}},
        {"about": []},
        {"cipher": "none"},
        {"nonce": ""},
        {"nonce": 5},
        {"data": "!"},
        {"ballot_sealed": 2},
        {"ballot_sealed": "1"},
        {"extra": 1},
        {"kdf": {"name": "scrypt", "n": 3, "r": 8, "p": 1, "salt": ""}},
        {"kdf": {"name": "scrypt", "n": 1 << 30, "r": 8, "p": 1, "salt": ""}},
        {"kdf": {"name": "scrypt", "n": 0, "r": 8, "p": 1, "salt": ""}},
        {"kdf": {"name": "scrypt", "n": 2, "r": 8, "p": 1, "salt": "", "more": 1}},
        {"kdf": {"name": "none"}},
    ],
)
def test_a_changed_head_is_refused(change: dict[str, Any]) -> None:
    value = {**json.loads(_sealed()), **change}
    with pytest.raises((MalformedError, WrongPassphraseError)):
        unseal(json.dumps(value, separators=(",", ":")).encode(), PASSPHRASE)


@pytest.mark.parametrize("data", [b"", b"{}", b"[]", b"\xff\xfe", b"\0" * 100, b"null", b'{"ballot_sealed":1}'])
def test_something_else_is_malformed(data: bytes) -> None:
    with pytest.raises(MalformedError):
        unseal(data, PASSPHRASE)


def test_a_private_file_is_readable_by_its_owner_only_and_never_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "a.key"
    write_private(path, b"one")
    assert 0o600 == stat.S_IMODE(path.stat().st_mode)
    with pytest.raises(UnusableInputError, match="exists already"):
        write_private(path, b"two")
    write_private(path, b"three", replace=True)
    assert b"three" == path.read_bytes()
    assert [path] == list(tmp_path.iterdir())


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    with pytest.raises(UnusableInputError, match="No such file"):
        read_file(tmp_path / "missing")
    with pytest.raises(UnusableInputError, match="directory"):
        read_file(tmp_path)
    with pytest.raises(UnusableInputError):
        read_file(tmp_path / "a\0b")
    (tmp_path / "empty").touch()
    with pytest.raises(UnusableInputError, match="empty"):
        read_file(tmp_path / "empty")
    (tmp_path / "big").write_bytes(b"12345")
    with pytest.raises(UnusableInputError, match="larger"):
        read_file(tmp_path / "big", 4)
    with pytest.raises(UnusableInputError, match="No such file"):
        write_private(tmp_path / "missing" / "a.key", b"")
