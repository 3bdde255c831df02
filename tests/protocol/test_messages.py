"""The messages: one canonical form, everything else refused. Source: text 4, threats 1.4."""

from dataclasses import replace

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ballot.errors import MalformedError, NotSupportedError
from ballot.protocol.declarations import Declarations, join_description, split_description
from ballot.protocol.group import G
from ballot.protocol.messages import (
    Ciphertext,
    Election,
    Event,
    Proof,
    PublicCredentials,
    QuestionH,
    QuestionNH,
    Result,
    SetupData,
    dumps,
    loads,
)  # fmt: skip

ELECTION = Election(
    1, 'Tab\there \x7f \x01 é "q" \\ / \u2028 😀', "N", "Ed25519", G,
    (QuestionH(("For", "Against"), 1, 1, "Q?\n2", True), QuestionNH(("A", "B"), "R?")), "g97cqDgWZDLRhZ",
)  # fmt: skip


def test_text_is_escaped_as_the_reference_tool_does() -> None:
    # Observed with belenios-tool 3.0: `setup make-election` of a template with these characters.
    expected = r'"description":"Tab\there \u007f \u0001 é \"q\" \\ /' + ' \u2028 😀"'
    assert expected.encode() in ELECTION.to_bytes()


def test_an_election_survives_its_bytes() -> None:
    assert ELECTION == Election.parse(ELECTION.to_bytes())


NOT_CANONICAL = {
    "a space": b'{"challenge":"1", "response":"2"}',
    "keys in another order": b'{"response":"2","challenge":"1"}',
    "a duplicate key": b'{"challenge":"1","challenge":"1","response":"2"}',
    "an unknown key": b'{"challenge":"1","response":"2","x":1}',
    "a missing key": b'{"challenge":"1"}',
    "a number for a string": b'{"challenge":1,"response":"2"}',
    "a leading zero": b'{"challenge":"01","response":"2"}',
    "an escaped digit": b'{"challenge":"\\u0031","response":"2"}',
    "null": b"null",
    "an array": b"[]",
    "deep nesting": b"[" * 100_000,
    "not UTF-8": b'{"challenge":"\xff","response":"2"}',
    "a byte order mark": b'\xef\xbb\xbf{"challenge":"1","response":"2"}',
    "a trailing newline": b'{"challenge":"1","response":"2"}\n',
    "empty": b"",
}


@pytest.mark.parametrize("name", NOT_CANONICAL)
def test_anything_but_the_canonical_form_is_malformed(name: str) -> None:
    with pytest.raises(MalformedError):
        Proof.parse(NOT_CANONICAL[name])


@pytest.mark.parametrize("data", [b"1.0", b"1e3", b"NaN", b"Infinity", b"9" * 16, b'{"a":1,"a":2}'])
def test_json_has_only_short_integers_and_single_keys(data: bytes) -> None:
    with pytest.raises(MalformedError):
        loads(data)


def test_half_a_surrogate_pair_is_malformed() -> None:
    with pytest.raises(MalformedError):
        dumps("\ud800")
    with pytest.raises(MalformedError):
        Election.parse(ELECTION.to_bytes().replace(b'"N"', b'"\\ud800"'))


def test_the_neutral_element_is_no_alpha() -> None:
    neutral = f"{1:064x}"
    with pytest.raises(MalformedError, match="neutral"):
        Ciphertext.parse(b'{"alpha":"%s","beta":"%s"}' % (neutral.encode(), str(G).encode()))


@pytest.mark.parametrize(
    ("old", "new"),
    [(b'"version":1', b'"version":2'), (b'"Ed25519"', b'"BELENIOS-2048"'), (b'{"type":"NonHomomorphic"', b'{"type":"Lists"')],
)
def test_what_is_outside_our_subset_is_not_supported(old: bytes, new: bytes) -> None:
    with pytest.raises(NotSupportedError):
        Election.parse(ELECTION.to_bytes().replace(old, new))


def test_more_than_30_ranked_choices_are_refused() -> None:
    crowded = Election(**{**vars(ELECTION), "questions": (QuestionNH(tuple("x" * 31), "?"),)})
    with pytest.raises(MalformedError, match="30"):
        Election.parse(crowded.to_bytes())


@pytest.mark.parametrize("bounds", [(-1, 1), (2, 1), (0, 3)])
def test_bounds_that_do_not_fit_the_answers_are_refused(bounds: tuple[int, int]) -> None:
    question = QuestionH(("a", "b"), *bounds, question="?")
    with pytest.raises(MalformedError):
        Election.parse(Election(**{**vars(ELECTION), "questions": (question,)}).to_bytes())


def test_public_credentials_read_the_forms_the_tool_writes() -> None:
    other = G**2
    assert (G, other) == PublicCredentials((f"{G},,4", str(other))).points
    with pytest.raises(NotSupportedError):
        _ = PublicCredentials((f"{G},2",)).points
    with pytest.raises(MalformedError, match="twice"):
        _ = PublicCredentials((str(G), f"{G},,4")).points


def test_events_and_results_have_fixed_shapes() -> None:
    assert Event(0, "EndBallots") == Event.parse(b'{"height":0,"type":"EndBallots"}')
    with pytest.raises(MalformedError):
        Event.parse(b'{"height":0,"type":"Coup"}')
    with pytest.raises(NotSupportedError):
        SetupData.from_json({"credentials_certificate": "0" * 64})
    result = Result(((0, 4), ((1, 2), (2, 1))))
    assert b'{"result":[[0,4],[[1,2],[2,1]]]}' == result.to_bytes()
    assert result == Result.parse(result.to_bytes())


DECLARED = Declarations(True, 5, False, False, "", ({"rule": "motion", "threshold": "simple-majority"},))


@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
@example("\n")
@example("x\n\n")
def test_declarations_are_the_last_line_of_the_description(text: str) -> None:
    assert (text, DECLARED) == split_description(join_description(text, DECLARED))


def test_an_advisory_election_says_so_and_another_does_not_mention_it() -> None:
    advisory = replace(DECLARED, advisory=True)
    assert ("x", advisory) == split_description(join_description("x", advisory))
    assert "advisory" not in join_description("x", DECLARED)
    for value in ("false", "null", "1"):
        with pytest.raises(MalformedError):
            split_description(join_description("x", advisory).replace('"advisory":true', f'"advisory":{value}'))


def test_a_plain_description_declares_nothing() -> None:
    assert ("Hello", None) == split_description("Hello")


@pytest.mark.parametrize(
    "description",
    [
        "ballot-declarations:2 {}",
        "ballot-declarations:1 {}",
        join_description("a", DECLARED) + "\nmore",
        join_description("a", DECLARED) + "\n\n" + join_description("", DECLARED),
        join_description("a", DECLARED).replace("\n\n", "\n"),
    ],
)
def test_declarations_in_any_other_form_are_malformed(description: str) -> None:
    with pytest.raises(MalformedError):
        split_description(description)
