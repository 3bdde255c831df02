"""Codes and what is derived from them (4.8); the vectors hold the values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballot.errors import MalformedError
from ballot.protocol import credentials
from ballot.protocol.group import G, SeededRng, SystemRng

UUID = "11VectorsABCDE"
KEY = bytes(range(32))
FILLERS = " \t\n\u00a0\u2009-\u2010\u2011\u2013\u2014\u00ad\u200b\ufeff."
foreign = st.characters(
    exclude_categories=("Cs", "Pd", "Z", "Cc", "Cf"), exclude_characters=credentials.ALPHABET + "."
)
codes = st.binary(max_size=20).map(lambda seed: credentials.new_code(SeededRng(seed)))


@given(codes)
def test_a_new_code_has_the_form_of_a_code(code: str) -> None:
    assert code == credentials.parse_code(code)
    assert [5, 6, 5, 6] == [len(part) for part in code.split("-")]


def test_new_codes_differ() -> None:
    assert 1000 == len({credentials.new_code(SystemRng()) for _ in range(1000)})


def test_every_character_occurs_in_every_place() -> None:
    rng = SeededRng(b"places")
    made = [credentials.new_code(rng).replace("-", "") for _ in range(1500)]
    assert all(set(credentials.ALPHABET) == set(place) for place in zip(*made, strict=True))


def test_codes_carry_at_least_128_bits() -> None:
    assert 58**credentials.LENGTH > 2**128


@given(codes, st.lists(st.tuples(st.integers(0, 26), st.sampled_from(FILLERS)), max_size=12))
def test_spaces_and_dashes_anywhere_change_nothing(code: str, fillers: list[tuple[int, str]]) -> None:
    typed = code
    for place, filler in fillers:
        typed = typed[:place] + filler + typed[place:]
    assert code == credentials.parse_code(typed)


@given(codes, st.integers(0, 21), foreign)
def test_a_character_outside_the_alphabet_is_refused(code: str, place: int, character: str) -> None:
    bare = code.replace("-", "")
    with pytest.raises(MalformedError, match="never occurs"):
        credentials.parse_code(bare[:place] + character + bare[place + 1 :])


@pytest.mark.parametrize("code", ["1111111111111111111111", "11111-111111-11111-11111", "11111-111111-11111-111111\n", "0" * 25, ""])
def test_only_the_one_form_of_a_code_has_a_secret(code: str) -> None:
    with pytest.raises(MalformedError):
        credentials.secret(UUID, code)


@given(codes)
def test_the_public_credential_is_the_secret_in_the_exponent(code: str) -> None:
    secret, public = credentials.derive_credential(UUID, code)
    assert G**secret == public == credentials.public(UUID, code)
    assert secret == credentials.secret(UUID, code)


def test_one_code_has_unrelated_credentials_in_two_elections() -> None:
    code = credentials.new_code(SeededRng(b"two"))
    assert credentials.public(UUID, code) != credentials.public("11VectorsABCDF", code)


def test_a_derived_code_depends_on_key_meeting_and_handle() -> None:
    same = credentials.derive_code(KEY, "meeting", "handle")
    assert same == credentials.derive_code(KEY, "meeting", "handle") == credentials.parse_code(same)
    others = {
        credentials.derive_code(bytes(32), "meeting", "handle"),
        credentials.derive_code(KEY, "meetinG", "handle"),
        credentials.derive_code(KEY, "meeting", "handlE"),
        credentials.derive_code(KEY, "meetingh", "andle"),
        credentials.derive_code(KEY, 'meeting", "', "handle"),
        credentials.derive_code(KEY, "", "meetinghandle"),
    }
    assert 6 == len(others - {same})


def test_a_short_key_derives_nothing() -> None:
    with pytest.raises(RuntimeError):
        credentials.derive_code(b"short", "meeting", "handle")
