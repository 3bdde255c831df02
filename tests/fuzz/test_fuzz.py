"""A few seconds of what `make fuzz` does for long, and every input that ever broke a reader."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ballot.errors import BallotError
from tests.fuzz.__main__ import FOUND, run
from tests.fuzz.targets import TARGETS

CORE = ["archive", "ballot", "keys", "csv", "blt", "tokens"]


@pytest.mark.parametrize("name", TARGETS)
def test_good_inputs_are_read(name: str) -> None:
    for seed in TARGETS[name].seeds():
        with contextlib.suppress(BallotError):
            TARGETS[name].read(seed)
    TARGETS[name].read(TARGETS[name].seeds()[0])


@st.composite
def mutilated(draw: st.DrawFn, name: str) -> bytes:
    """A good input with a piece changed, repeated or taken out; or any bytes."""
    seed = draw(st.sampled_from(TARGETS[name].seeds()))
    start = draw(st.integers(0, len(seed)))
    end = draw(st.integers(start, min(len(seed), start + 40)))
    return draw(st.one_of(st.binary(max_size=200), st.binary(max_size=40).map(lambda new: seed[:start] + new + seed[end:])))


@pytest.mark.parametrize("name", TARGETS)
@settings(max_examples=40, deadline=None, database=None, derandomize=True)
@given(st.data())
def test_mutilated_inputs_are_refused_in_our_own_words(name: str, data: st.DataObject) -> None:
    with contextlib.suppress(BallotError):
        TARGETS[name].read(data.draw(mutilated(name)))


@pytest.mark.parametrize("name", CORE)
def test_a_coverage_guided_fuzzer_finds_nothing_in_a_moment(name: str) -> None:
    pytest.importorskip("atheris")
    tried, complaint = run(name, 2)
    assert (True, "") == (tried > 0, complaint)


def test_what_broke_a_reader_once_is_refused_or_read() -> None:
    for path in sorted(FOUND.glob("*")):
        with contextlib.suppress(BallotError):
            TARGETS[path.name.partition("-")[0]].read(path.read_bytes())
