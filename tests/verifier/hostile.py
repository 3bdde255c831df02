"""The hostile corpus: archives bent in one place, each with the rule it breaks, the event's height and words of the reason.

Where an attacker could re-make hashes, chain, signatures or later steps, the case does. An honest board of
`tests.elections` has: 0 Setup, 1–6 ballots, 7 EndBallots, 8 EncryptedTally, 9–11 shuffles by 1, 2, 3, 12 EndShuffles,
13–15 decryptions by 1, 2, 3, 16 Result. Owner 1 holds a single key; 2, 3 and 4 are a group of which two are needed.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from copy import copy
from dataclasses import dataclass, replace
from functools import cache, partial
from typing import Any

from ballot.protocol import credentials, trustees
from ballot.protocol.archive import pack, pack_header
from ballot.protocol.ballots import create_ballot
from ballot.protocol.decryption import gen_partial_decryption
from ballot.protocol.elgamal import encrypt_integer
from ballot.protocol.group import ONE, G, Q, SeededRng
from ballot.protocol.messages import (
    AnswerH,
    AnswerNH,
    Ballot,
    Ciphertext,
    EncryptedTally,
    Owned,
    PartialDecryption,
    Proof,
    PublicCredentials,
    Result,
    Shuffle,
    SizedEncryptedTally,
    sha256_hex,
)
from ballot.protocol.proofs import fiat_shamir
from ballot.protocol.shuffle import shuffle_tally
from ballot.recount import count_election, results_file
from ballot.verifier.rules import Rule
from tests.elections import DECLARED, MOTION, RANKED, TIMESTAMP, Act, Board, Entry, Society, honest, owned, pack_entries, society


@dataclass(frozen=True)
class Hostile:
    """What the attacker publishes, and what the verifier has seen before."""

    archive: bytes
    companion: bytes | None = None
    pins: tuple[tuple[int, str], ...] = ()
    results: bytes | None = None


@dataclass(frozen=True)
class Case:
    name: str
    rule: Rule
    height: int
    words: str
    make: Callable[[], Hostile | Board | bytes]

    def hostile(self) -> Hostile:
        made = self.make()
        if isinstance(made, Board):
            return Hostile(made.to_bytes(), made.companion_bytes())
        return Hostile(made, honest().companion_bytes()) if isinstance(made, bytes) else made


CASES: list[Case] = []


def add(name: str, rule: Rule, height: int, words: str, make: Callable[[], Hostile | Board | bytes]) -> None:
    CASES.append(Case(name, rule, height, words, make))


def case(rule: Rule, height: int, words: str = "") -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    def register(make: Callable[[], Any]) -> Callable[[], Any]:
        add(make.__name__, rule, height, words, make)
        return make

    return register


# --- helpers ------------------------------------------------------------------------------------------------------------


def bend_json(data: bytes, bend: Callable[[Any], Any]) -> bytes:
    """The JSON with a change made in place, or replaced by what `bend` returns."""
    value = json.loads(data)
    changed = bend(value)
    return json.dumps(value if changed is None else changed, separators=(",", ":"), ensure_ascii=False).encode()


def put(value: Any, path: tuple[Any, ...], new: Any) -> None:
    for step in path[:-1]:
        value = value[step]
    value[path[-1]] = new


def get(value: Any, path: tuple[Any, ...]) -> Any:
    for step in path:
        value = value[step]
    return value


def with_ballot(number: int, bend: Callable[[bytes], bytes]) -> Board:
    """The honest board with the n-th ballot's bytes changed (from 0; its height is one more)."""
    board = honest()
    act = board.act("Ballot", number)
    assert isinstance(act.payload, bytes)
    act.payload = bend(act.payload)
    return board


def with_ballots(bend: Callable[[list[Ballot]], list[Ballot]], people: Society | None = None) -> Board:
    """An election held honestly over ballots that were bent before."""
    people = people or society()
    return people.hold(bend(people.ballots()))


def with_part(kind: str, number: int, part: int, bend: Callable[[bytes], bytes]) -> Board:
    """The honest board with one object below an event changed, and all hashes re-made."""
    board = honest()
    act = board.act(kind, number)
    act.parts[part] = bend(act.parts[part])
    return board


def with_entries(bend: Callable[[list[Entry]], list[Entry] | None]) -> bytes:
    """The honest archive with its entries changed, the chain not re-made."""
    entries = honest().entries()
    changed = bend(entries)
    return pack_entries(entries if changed is None else changed)


def event_at(entries: list[Entry], height: int) -> int:
    return [i for i, entry in enumerate(entries) if entry.kind == "event"][height]


def rechained(entries: list[Entry], start: int) -> list[Entry]:
    """Parents from event `start` on re-made to follow whatever stands before; types, heights and payloads as they are."""

    def follow(parent: str | None, event: dict[str, Any]) -> dict[str, Any]:
        rest = {key: value for key, value in event.items() if key != "parent"}
        return {"parent": parent, **rest} if parent else rest

    parent, height, result = None, 0, []
    for entry in entries:
        data = entry.data
        if entry.kind == "event":
            if height >= start:
                data = bend_json(data, partial(follow, parent))
            parent, height = sha256_hex(data), height + 1
        result.append(Entry(entry.kind, data))
    return result


def with_event(height: int, bend: Callable[[bytes], bytes]) -> bytes:
    """The honest archive with one event's bytes changed, and later parents re-made."""

    def change(entries: list[Entry]) -> list[Entry]:
        at = event_at(entries, height)
        entries[at] = Entry("event", bend(entries[at].data))
        return rechained(entries, height + 1)

    return with_entries(change)


# --- 1 the file ---------------------------------------------------------------------------------------------------------


def raw(bend: Callable[[bytearray], Any]) -> bytes:
    """The honest archive with some of its bytes changed."""
    data = bytearray(honest().to_bytes())
    changed = bend(data)
    return bytes(data if changed is None else changed)


def tar_field(start: int, new: bytes) -> bytes:
    """The third entry's tar header (after BELENIOS and the election) with a field changed and its checksum made good."""

    def change(data: bytearray) -> None:
        at = 1024 + 512 + (len(society().election.to_bytes()) + 511) // 512 * 512
        data[at + start : at + start + len(new)] = new
        header = bytes(data[at : at + 148]) + b" " * 8 + bytes(data[at + 156 : at + 512])
        data[at + 148 : at + 156] = b"%06o\0 " % sum(header)

    return raw(change)


add("cut_in_the_last_entry", Rule.ARCHIVE_BYTES, 16, "cut short", lambda: raw(lambda data: data[:-600]))
add("cut_in_the_first_ballot", Rule.ARCHIVE_BYTES, 1, "cut short", lambda: raw(lambda data: data[: data.index(b'"election_uuid"') + 100]))
add(
    "one_bit_of_a_ballot_flipped",
    Rule.ARCHIVE_BYTES,
    1,
    "does not have the hash",
    lambda: raw(lambda data: put(data, (data.index(b'"signature":{"hash":"') + 25,), data[data.index(b'"signature":{"hash":"') + 25] ^ 1)),
)
add("padding_carries_bytes", Rule.ARCHIVE_BYTES, 16, "between its entries", lambda: raw(lambda data: put(data, (-1,), 1)))
add("two_empty_blocks_at_the_end", Rule.ARCHIVE_BYTES, 17, "tar header", lambda: raw(lambda data: data + bytes(1024)))
add("rubbish_at_the_end", Rule.ARCHIVE_BYTES, 17, "", lambda: raw(lambda data: data + b"rubbish" * 200))
add("another_file_mode", Rule.ARCHIVE_BYTES, 0, "tar header", lambda: tar_field(100, b"0000755\0"))
add("an_owner", Rule.ARCHIVE_BYTES, 0, "tar header", lambda: tar_field(108, b"0001750\0"))
add("another_time_on_one_entry", Rule.ARCHIVE_BYTES, 0, "tar header", lambda: tar_field(136, b"%011o\0" % (TIMESTAMP + 1)))
add("a_tar_directory_entry", Rule.ARCHIVE_BYTES, 0, "tar header", lambda: tar_field(156, b"5"))
add("a_newer_tar_format", Rule.ARCHIVE_BYTES, 0, "tar header", lambda: tar_field(257, b"ustar\00000"))
add("a_size_in_another_form", Rule.ARCHIVE_BYTES, 0, "", lambda: tar_field(124, b"       1247 "))
add(
    "an_upper_case_hash_as_a_name",
    Rule.ARCHIVE_BYTES,
    0,
    "",
    lambda: tar_field(0, sha256_hex(society().trustees.to_bytes()).upper().encode()),
)
add("a_name_in_a_folder", Rule.ARCHIVE_BYTES, 0, "", lambda: tar_field(0, b"../../" + sha256_hex(society().trustees.to_bytes()).encode()))
add(
    "a_file_that_is_no_object",
    Rule.ARCHIVE_BYTES,
    0,
    "tar header",
    lambda: pack_header(TIMESTAMP) + pack("README", b"hello", TIMESTAMP) + honest().to_bytes()[1024:],
)


# --- 2 the chain --------------------------------------------------------------------------------------------------------


add("an_event_with_a_space", Rule.EVENT_FORM, 3, "canonical", lambda: with_event(3, lambda data: data.replace(b":", b": ", 1)))
add("an_event_with_a_key_twice", Rule.EVENT_FORM, 3, "twice", lambda: with_event(3, lambda data: data.replace(b'{"', b'{"height":9,"', 1)))
add("an_event_with_an_unknown_key", Rule.EVENT_FORM, 3, "unknown", lambda: with_event(3, lambda data: data[:-1] + b',"note":1}'))
add(
    "an_event_of_an_unknown_type",
    Rule.EVENT_FORM,
    3,
    "unknown event type",
    lambda: with_event(3, lambda data: data.replace(b"Ballot", b"Recount")),
)
add("an_event_without_a_height", Rule.EVENT_FORM, 3, "missing", lambda: with_event(3, lambda data: data.replace(b'"height":3,', b"")))
add("a_height_with_a_fraction", Rule.EVENT_FORM, 3, "integer", lambda: with_event(3, lambda data: data.replace(b":3,", b":3.0,")))
add("a_height_as_text", Rule.EVENT_FORM, 3, "", lambda: with_event(3, lambda data: data.replace(b":3,", b':"3",')))
add("a_huge_height", Rule.EVENT_FORM, 3, "too large", lambda: with_event(3, lambda data: data.replace(b":3,", b":" + b"9" * 5000 + b",")))
add("a_height_that_is_true", Rule.EVENT_FORM, 1, "", lambda: with_event(1, lambda data: data.replace(b'"height":1,', b'"height":true,')))
add("a_skipped_height", Rule.CHAIN_HEIGHT, 3, "calls itself number 4", lambda: with_event(3, lambda data: data.replace(b":3,", b":4,")))
add("a_chain_that_starts_at_1", Rule.CHAIN_HEIGHT, 0, "", lambda: with_event(0, lambda data: data.replace(b":0,", b":1,")))
add(
    "a_parent_from_elsewhere",
    Rule.CHAIN_PARENT,
    3,
    "does not follow",
    lambda: with_event(3, lambda data: bend_json(data, lambda event: put(event, ("parent",), "0" * 64))),
)
add(
    "an_event_without_a_parent",
    Rule.CHAIN_PARENT,
    3,
    "",
    lambda: with_event(3, lambda data: bend_json(data, lambda e: {k: v for k, v in e.items() if k != "parent"})),
)
add(
    "a_first_event_with_a_parent",
    Rule.CHAIN_PARENT,
    0,
    "",
    lambda: with_event(0, lambda data: bend_json(data, lambda e: {"parent": "1" * 64, **e})),
)


@case(Rule.CHAIN_HEIGHT, 3, "calls itself number 4")
def a_ballot_taken_out() -> bytes:
    def change(entries: list[Entry]) -> None:
        at = event_at(entries, 3)
        del entries[at - 1 : at + 1]

    return with_entries(change)


@case(Rule.CHAIN_PARENT, 3, "does not follow")
def a_ballot_taken_out_and_heights_made_good() -> bytes:
    def change(entries: list[Entry]) -> None:
        at = event_at(entries, 3)
        del entries[at - 1 : at + 1]
        height = 0
        for i, entry in enumerate(entries):
            if entry.kind == "event":
                entries[i] = Entry("event", bend_json(entry.data, partial(put, path=("height",), new=height)))
                height += 1

    return with_entries(change)


@case(Rule.CHAIN_HEIGHT, 2, "calls itself number 3")
def two_ballots_swapped() -> bytes:
    def change(entries: list[Entry]) -> None:
        a, b = event_at(entries, 2), event_at(entries, 3)
        entries[a - 1 : a + 1], entries[b - 1 : b + 1] = entries[b - 1 : b + 1], entries[a - 1 : a + 1]

    return with_entries(change)


@case(Rule.PIN, 3, "history was rewritten")
def a_ballot_taken_out_and_the_chain_re_made() -> Hostile:
    before = honest()
    after = with_ballots(lambda ballots: ballots[:2] + ballots[3:])
    return Hostile(after.to_bytes(), after.companion_bytes(), ((3, before.hash_at(3)),))


@case(Rule.PIN, 16, "not there any more")
def the_end_taken_away() -> Hostile:
    board = honest()
    pin = (16, board.hash_at(16))
    del board.acts[-1]
    return Hostile(board.to_bytes(), board.companion_bytes(), (pin,))


@case(Rule.PIN, 3, "two different events were seen")
def two_views_that_contradict_each_other() -> Hostile:
    board = honest()
    return Hostile(board.to_bytes(), board.companion_bytes(), ((3, "0" * 64), (3, board.hash_at(3))))


@case(Rule.PIN, 0, "history was rewritten")
def another_election_altogether() -> Hostile:
    board = Society(seed=b"another").hold()
    return Hostile(board.to_bytes(), board.companion_bytes(), ((0, honest().hash_at(0)),))


def reordered(change: Callable[[list[Act]], Any], board: Board | None = None) -> Board:
    board = board or honest()
    change(board.acts)
    return board


def one_more(voter: int = 6) -> Act:
    """A sound ballot of somebody who has not voted."""
    return Act("Ballot", [], society().ballot(voter).to_bytes())


add(
    "a_second_setup",
    Rule.CHAIN_GRAMMAR,
    7,
    "Setup follows Ballot",
    lambda: reordered(lambda acts: acts.insert(7, Society(seed=b"x").setup_act())),
)
add("a_ballot_before_setup", Rule.CHAIN_GRAMMAR, 0, "begins the file", lambda: reordered(lambda acts: acts.insert(0, acts.pop(1))))
add("no_setup", Rule.CHAIN_GRAMMAR, 0, "begins the file", lambda: reordered(lambda acts: acts.pop(0)))
add(
    "a_ballot_after_the_close",
    Rule.CHAIN_GRAMMAR,
    8,
    "Ballot follows EndBallots",
    lambda: reordered(lambda acts: acts.insert(8, one_more())),
)
add("a_ballot_during_the_tally", Rule.CHAIN_GRAMMAR, 9, "", lambda: reordered(lambda acts: acts.insert(9, one_more())))
add(
    "an_early_close_and_voting_goes_on",
    Rule.CHAIN_GRAMMAR,
    5,
    "Ballot follows EndBallots",
    lambda: reordered(lambda acts: acts.insert(4, Act("EndBallots"))),
)
add(
    "an_early_close_that_leaves_one_ballot",
    Rule.CHAIN_GRAMMAR,
    7,
    "Ballot follows EndBallots",
    lambda: reordered(lambda acts: acts.insert(6, acts.pop(7))),
)
add("a_second_close", Rule.CHAIN_GRAMMAR, 8, "", lambda: reordered(lambda acts: acts.insert(8, Act("EndBallots"))))
add("no_close", Rule.CHAIN_GRAMMAR, 7, "EncryptedTally follows Ballot", lambda: reordered(lambda acts: acts.pop(7)))
add("no_encrypted_tally", Rule.CHAIN_GRAMMAR, 8, "Shuffle follows EndBallots", lambda: reordered(lambda acts: acts.pop(8)))
add(
    "a_second_encrypted_tally",
    Rule.CHAIN_GRAMMAR,
    9,
    "EncryptedTally follows EncryptedTally",
    lambda: reordered(lambda acts: acts.insert(9, Act("EncryptedTally", [b"[]"], lambda h: SizedEncryptedTally(6, 6, h).to_bytes()))),
)
add(
    "no_shuffle_of_a_ranked_question",
    Rule.CHAIN_GRAMMAR,
    9,
    "PartialDecryption follows EncryptedTally",
    lambda: reordered(lambda acts: put(acts, (slice(9, 13),), [])),
)
add("no_shuffle_but_its_end", Rule.CHAIN_GRAMMAR, 9, "", lambda: reordered(lambda acts: put(acts, (slice(9, 12),), [])))
add("shuffles_without_an_end", Rule.CHAIN_GRAMMAR, 12, "PartialDecryption follows Shuffle", lambda: reordered(lambda acts: acts.pop(12)))
add(
    "a_shuffle_after_their_end",
    Rule.CHAIN_GRAMMAR,
    13,
    "Shuffle follows EndShuffles",
    lambda: reordered(lambda acts: swap(acts, 12, 13), society().hold(shuffling=[1, 2, 3, 4])),
)
add("a_decryption_before_the_shuffles_end", Rule.CHAIN_GRAMMAR, 12, "", lambda: reordered(lambda acts: acts.insert(12, acts.pop(13))))
add(
    "a_result_without_decryptions",
    Rule.CHAIN_GRAMMAR,
    13,
    "Result follows EndShuffles",
    lambda: reordered(lambda acts: put(acts, (slice(13, 16),), [])),
)
add("a_ballot_after_the_result", Rule.CHAIN_GRAMMAR, 17, "comes after Result", lambda: reordered(lambda acts: acts.append(one_more())))
add(
    "a_second_result",
    Rule.CHAIN_GRAMMAR,
    17,
    "comes after Result",
    lambda: reordered(lambda acts: acts.append(Act("Result", [], b'{"result":[[6,0,0],[]]}'))),
)


@case(Rule.CHAIN_GRAMMAR, 17, "comes after Result")
def a_decryption_after_the_result() -> Board:
    board = society().hold(decrypting=[1, 2, 3, 4])
    swap(board.acts, 16, 17)
    del (board.companions or [])[3]
    return board


@case(Rule.CHAIN_GRAMMAR, 9, "Shuffle follows EncryptedTally")
def a_shuffle_where_no_question_is_ranked() -> Board:
    board = Society([MOTION]).hold()
    board.acts[9:9] = [owned("Shuffle", 1, b'{"ciphertexts":[],"proofs":[]}'), Act("EndShuffles")]
    return board


add(
    "an_object_at_the_end",
    Rule.OBJECT_UNREFERENCED,
    17,
    "ends with an object",
    lambda: with_entries(lambda e: e.append(Entry("data", b"{}"))),
)
add(
    "an_object_between_events",
    Rule.OBJECT_UNREFERENCED,
    3,
    "belongs to no event",
    lambda: with_entries(lambda e: e.insert(event_at(e, 2) + 1, Entry("data", b"{}"))),
)
add(
    "a_ballot_without_its_event",
    Rule.OBJECT_UNREFERENCED,
    7,
    "belongs to no event",
    lambda: with_entries(lambda e: e.insert(event_at(e, 6) + 1, Entry("data", society().ballot(6).to_bytes()))),
)
add(
    "many_objects_between_events",
    Rule.OBJECT_UNREFERENCED,
    7,
    "more objects",
    lambda: with_entries(
        lambda e: put(e, (slice(event_at(e, 6) + 1, event_at(e, 6) + 1),), [Entry("data", b"[%d]" % i) for i in range(9)])
    ),
)
add(
    "an_object_twice",
    Rule.OBJECT_REPEATED,
    3,
    "occurs twice",
    lambda: with_entries(lambda e: e.insert(event_at(e, 2) + 1, e[event_at(e, 2) - 1])),
)
add(
    "a_payload_after_its_event",
    Rule.PAYLOAD_MISSING,
    3,
    "does not stand before it",
    lambda: with_entries(lambda e: e.insert(event_at(e, 3), e.pop(event_at(e, 3) - 1))),
)
add(
    "a_payload_left_out",
    Rule.PAYLOAD_MISSING,
    3,
    "",
    lambda: with_entries(lambda e: put(e, (slice(event_at(e, 3) - 1, event_at(e, 3)),), [])),
)
add("the_credentials_left_out", Rule.PAYLOAD_MISSING, 0, "", lambda: with_entries(lambda e: put(e, (slice(2, 3),), [])))
add(
    "a_shuffle_left_out_under_its_owner",
    Rule.PAYLOAD_MISSING,
    9,
    "",
    lambda: with_entries(lambda e: put(e, (slice(event_at(e, 9) - 2, event_at(e, 9) - 1),), [])),
)
add(
    "a_close_with_a_payload",
    Rule.PAYLOAD_OUT_OF_PLACE,
    7,
    "must not",
    lambda: with_event(7, lambda data: data[:-1] + b',"payload":"%s"}' % (b"0" * 64)),
)
add(
    "a_ballot_event_without_a_payload",
    Rule.PAYLOAD_OUT_OF_PLACE,
    3,
    "no payload",
    lambda: with_event(3, lambda data: bend_json(data, lambda e: {k: v for k, v in e.items() if k != "payload"})),
)


@case(Rule.OBJECT_REPEATED, 7, "the very same ballot")
def one_ballot_twice() -> bytes:
    board = honest()
    board.acts.insert(7, replace(board.acts[3]))
    entries = board.entries()
    del entries[event_at(entries, 7) - 1]  # an object is written once
    return pack_entries(entries)


@case(Rule.OBJECT_REPEATED, 9, "used twice")
def a_tally_that_is_the_election() -> bytes:
    board = honest()
    data = Owned(1, sha256_hex(society().election.to_bytes())).to_bytes()
    board.acts[9] = Act("Shuffle", [], data)
    return board.to_bytes()


# --- 3 the set-up -------------------------------------------------------------------------------------------------------

ELECTION, TRUSTEES, CREDENTIALS = 0, 1, 2


def with_election(bend: Callable[[Any], Any]) -> Board:
    return with_part("Setup", 0, ELECTION, lambda data: bend_json(data, bend))


def with_trustees(bend: Callable[[Any], Any]) -> Board:
    return with_part("Setup", 0, TRUSTEES, lambda data: bend_json(data, bend))


def with_credentials(bend: Callable[[list[str]], Any]) -> Board:
    return with_part("Setup", 0, CREDENTIALS, lambda data: bend_json(data, bend))


def swap(values: list[Any], i: int, j: int) -> None:
    values[i], values[j] = values[j], values[i]


add(
    "an_election_with_a_key_twice",
    Rule.SETUP_FORM,
    0,
    "twice",
    lambda: with_part("Setup", 0, ELECTION, lambda data: data.replace(b"{", b'{"name":"Another question",', 1)),
)
add(
    "an_election_with_spaces",
    Rule.SETUP_FORM,
    0,
    "canonical",
    lambda: with_part("Setup", 0, ELECTION, lambda data: data.replace(b",", b", ", 1)),
)
add(
    "an_election_in_another_encoding",
    Rule.SETUP_FORM,
    0,
    "UTF-8",
    lambda: with_part("Setup", 0, ELECTION, lambda data: data.decode().encode("utf-16")),
)
add("an_election_of_the_next_version", Rule.SETUP_FORM, 0, "version 1", lambda: with_election(lambda e: put(e, ("version",), 2)))
add("an_election_in_another_group", Rule.SETUP_FORM, 0, "group", lambda: with_election(lambda e: put(e, ("group",), "BELENIOS-2048")))
add(
    "a_group_that_the_attacker_describes",
    Rule.SETUP_FORM,
    0,
    "group",
    lambda: with_election(lambda e: put(e, ("group",), {"g": "1", "p": "3", "q": "2"})),
)
add("an_unknown_key_in_the_election", Rule.SETUP_FORM, 0, "unknown", lambda: with_election(lambda e: put(e, ("kind",), "x")))
add(
    "a_question_with_lists",
    Rule.SETUP_FORM,
    0,
    "not supported",
    lambda: with_election(lambda e: put(e, ("questions", 1), {"type": "Lists", "value": {"answers": [["L", "a"]], "question": "?"}})),
)
add(
    "a_ranked_question_of_31",
    Rule.SETUP_FORM,
    0,
    "30",
    lambda: with_election(lambda e: put(e, ("questions", 1, "value", "answers"), [str(i) for i in range(31)])),
)
add("a_minimum_above_the_maximum", Rule.SETUP_FORM, 0, "do not fit", lambda: with_election(lambda e: put(e, ("questions", 0, "min"), 2)))
add("no_question", Rule.SETUP_FORM, 0, "no question", lambda: with_election(lambda e: put(e, ("questions",), [])))
add(
    "an_identifier_with_other_letters",
    Rule.SETUP_FORM,
    0,
    "identifier",
    lambda: with_election(lambda e: put(e, ("uuid",), "0OIl0OIl0OIl0O")),
)
add("an_identifier_that_is_too_short", Rule.SETUP_FORM, 0, "identifier", lambda: with_election(lambda e: put(e, ("uuid",), "abc")))
add(
    "setup_with_a_certificate",
    Rule.SETUP_FORM,
    0,
    "not supported",
    lambda: reordered(
        lambda acts: put(
            acts, (0,), replace(acts[0], payload=bend_json(acts[0].objects()[-1], lambda s: put(s, ("credentials_certificate",), "0" * 64)))
        )
    ),
)
add(
    "credentials_with_spaces",
    Rule.SETUP_FORM,
    0,
    "canonical",
    lambda: with_part("Setup", 0, CREDENTIALS, lambda data: data.replace(b",", b", ")),
)
add(
    "deeply_nested_credentials",
    Rule.SETUP_FORM,
    0,
    "",
    lambda: with_part("Setup", 0, CREDENTIALS, lambda _: b"[" * 100_000 + b"]" * 100_000),
)

add("a_key_of_the_attacker", Rule.ELECTION_KEY, 0, "product", lambda: with_election(lambda e: put(e, ("public_key",), str(G**12345))))
add(
    "a_key_that_leaves_one_holder_out",
    Rule.ELECTION_KEY,
    0,
    "product",
    lambda: with_election(lambda e: put(e, ("public_key",), str(society().keys.public_key / society().keys.of_owner(1).public_key))),
)
add("no_key_holders", Rule.TRUSTEES, 0, "at least one", lambda: with_trustees(lambda t: []))
add("a_false_proof_of_possession", Rule.TRUSTEES, 0, "possession", lambda: with_trustees(lambda t: put(t, (0, 1, "pok", "response"), "1")))


@case(Rule.TRUSTEES, 0, "possession")
def a_key_chosen_to_cancel_the_others() -> Board:
    """A rogue key: what the attacker knows, divided by the other's key. They cannot prove to know its exponent."""

    def change(items: list[Any]) -> None:
        rogue = G**777 / society().keys.public_key
        items.append(["Single", {"pok": {"challenge": "1", "response": "2"}, "public_key": str(rogue)}])

    return with_trustees(change)


@case(Rule.TRUSTEES, 0, "another holder's key")
def a_key_copied_with_its_proof() -> Board:
    return with_trustees(lambda items: items.append(items[0]))


@case(Rule.TRUSTEES, 0, "same key")
def a_group_members_key_copied_with_its_proof() -> Board:
    def change(items: list[Any]) -> list[Any]:
        key = dict(items[1][1]["verification_keys"][0])
        del key["signature"]
        return [["Single", key], *items]

    return with_trustees(change)


GROUP = (1, 1)
add(
    "a_certificate_with_a_false_signature",
    Rule.TRUSTEES,
    0,
    "signature",
    lambda: with_trustees(lambda t: put(t, (*GROUP, "certs", 0, "signature", "response"), "1")),
)
add("certificates_swapped", Rule.TRUSTEES, 0, "another place", lambda: with_trustees(lambda t: swap(get(t, (*GROUP, "certs")), 0, 1)))
add(
    "a_certificate_used_twice",
    Rule.TRUSTEES,
    0,
    "another place",
    lambda: with_trustees(lambda t: put(t, (*GROUP, "certs", 1), get(t, (*GROUP, "certs", 0)))),
)
add("a_lower_threshold", Rule.TRUSTEES, 0, "threshold", lambda: with_trustees(lambda t: put(t, (*GROUP, "threshold"), 1)))
add("a_higher_threshold", Rule.TRUSTEES, 0, "threshold", lambda: with_trustees(lambda t: put(t, (*GROUP, "threshold"), 3)))
add("a_threshold_of_none", Rule.TRUSTEES, 0, "threshold", lambda: with_trustees(lambda t: put(t, (*GROUP, "threshold"), 0)))
add("coefficients_swapped", Rule.TRUSTEES, 0, "signature", lambda: with_trustees(lambda t: swap(get(t, (*GROUP, "coefexps")), 0, 1)))
add(
    "coefficients_changed",
    Rule.TRUSTEES,
    0,
    "signature",
    lambda: with_trustees(
        lambda t: put(t, (*GROUP, "coefexps", 0, "message"), json.dumps({"coefexps": [str(G), str(G)]}, separators=(",", ":")))
    ),
)
add(
    "signatures_of_the_certificates_swapped",
    Rule.TRUSTEES,
    0,
    "signature",
    lambda: with_trustees(lambda t: swap(get(t, (*GROUP, "signatures")), 0, 1)),
)
add(
    "verification_keys_swapped",
    Rule.TRUSTEES,
    0,
    "coefficients",
    lambda: with_trustees(lambda t: swap(get(t, (*GROUP, "verification_keys")), 0, 1)),
)
add(
    "a_verification_key_unsigned",
    Rule.TRUSTEES,
    0,
    "sign",
    lambda: with_trustees(lambda t: get(t, (*GROUP, "verification_keys", 0)).pop("signature") and None),
)
add(
    "a_verification_key_signed_by_another",
    Rule.TRUSTEES,
    0,
    "signature",
    lambda: with_trustees(
        lambda t: put(t, (*GROUP, "verification_keys", 0, "signature"), get(t, (*GROUP, "verification_keys", 1, "signature")))
    ),
)
add(
    "a_group_member_left_out",
    Rule.TRUSTEES,
    0,
    "",
    lambda: with_trustees(
        lambda t: [get(t, (*GROUP, name)).pop() for name in ("certs", "coefexps", "signatures", "verification_keys")] and None
    ),
)
add(
    "lists_of_different_lengths",
    Rule.TRUSTEES,
    0,
    "lengths",
    lambda: with_trustees(lambda t: get(t, (*GROUP, "signatures")).pop() and None),
)


@case(Rule.TRUSTEES, 0, "number of coefficients")
def a_polynomial_of_a_higher_degree() -> Board:
    """A member who signs one coefficient too many: more shares than the threshold would be needed."""
    people = society()
    assert people.group is not None
    keys, rng = people.group.holders[0], SeededRng(b"degree")
    text = json.dumps({"coefexps": [str(G**7), str(G**8), str(G**9)]}, separators=(",", ":"))
    signed = trustees._signed(keys.signing, text, rng)
    return with_trustees(lambda t: put(t, (*GROUP, "coefexps", 0), signed.to_json()))


add("a_credential_with_a_weight", Rule.CREDENTIALS, 0, "weight", lambda: with_credentials(lambda c: put(c, (0,), c[0] + ",2")))
add("a_credential_with_a_huge_weight", Rule.CREDENTIALS, 0, "weight", lambda: with_credentials(lambda c: put(c, (0,), c[0] + ",1000000")))
add("a_credential_with_a_weight_of_nothing", Rule.CREDENTIALS, 0, "weight", lambda: with_credentials(lambda c: put(c, (0,), c[0] + ",0")))
add("a_credential_with_more_fields", Rule.CREDENTIALS, 0, "", lambda: with_credentials(lambda c: put(c, (0,), c[0] + ",1,2,3")))
add("a_credential_twice", Rule.CREDENTIALS, 0, "twice", lambda: with_credentials(lambda c: put(c, (1,), c[0])))
add("a_credential_twice_under_two_names", Rule.CREDENTIALS, 0, "twice", lambda: with_credentials(lambda c: put(c, (1,), c[0] + ",,2")))
add("a_credential_in_upper_case", Rule.CREDENTIALS, 0, "", lambda: with_credentials(lambda c: put(c, (0,), c[0].upper())))
add("a_credential_with_a_space", Rule.CREDENTIALS, 0, "", lambda: with_credentials(lambda c: put(c, (0,), c[0] + " ")))

add(
    "declarations_that_are_no_json",
    Rule.DECLARATIONS,
    0,
    "JSON",
    lambda: with_election(lambda e: put(e, ("description",), "ballot-declarations:1 {")),
)
add(
    "declarations_of_another_version",
    Rule.DECLARATIONS,
    0,
    "version 1",
    lambda: with_election(lambda e: put(e, ("description",), e["description"].replace(":1 {", ":2 {"))),
)
add(
    "declarations_twice",
    Rule.DECLARATIONS,
    0,
    "",
    lambda: with_election(lambda e: put(e, ("description",), e["description"] + "\n" + e["description"].split("\n")[-1])),
)
add(
    "declarations_before_other_text",
    Rule.DECLARATIONS,
    0,
    "last line",
    lambda: with_election(lambda e: put(e, ("description",), e["description"] + "\nand more")),
)
add(
    "declarations_with_a_key_twice",
    Rule.DECLARATIONS,
    0,
    "twice",
    lambda: with_election(
        lambda e: put(e, ("description",), e["description"].replace('"companion":true', '"companion":true,"companion":false'))
    ),
)
add(
    "a_rule_for_one_of_two_questions",
    Rule.DECLARATIONS,
    0,
    "each question",
    lambda: with_election(lambda e: put(e, ("description",), e["description"].replace('"rules":[]', '"rules":[{"rule":"motion"}]'))),
)


# --- 4 ballots ----------------------------------------------------------------------------------------------------------

add(
    "a_ballot_with_a_key_twice",
    Rule.BALLOT_FORM,
    3,
    "twice",
    lambda: with_ballot(2, lambda data: data.replace(b"{", b'{"credential":"",', 1)),
)
add(
    "a_ballot_with_a_nested_key_twice",
    Rule.BALLOT_FORM,
    3,
    "twice",
    lambda: with_ballot(2, lambda data: data.replace(b'{"alpha":', b'{"alpha":"","alpha":', 1)),
)
add("a_ballot_with_a_space", Rule.BALLOT_FORM, 3, "canonical", lambda: with_ballot(2, lambda data: data.replace(b",", b", ", 1)))
add("a_ballot_with_a_final_newline", Rule.BALLOT_FORM, 3, "", lambda: with_ballot(2, lambda data: data + b"\n"))
add(
    "a_ballot_with_an_escape",
    Rule.BALLOT_FORM,
    3,
    "canonical",
    lambda: with_ballot(2, lambda data: data.replace(b'"election_uuid"', b'"election\\u005fuuid"', 1)),
)
add(
    "a_ballot_with_an_unknown_key",
    Rule.BALLOT_FORM,
    3,
    "unknown",
    lambda: with_ballot(2, lambda data: bend_json(data, lambda b: put(b, ("weight",), 2))),
)
add(
    "a_ballot_with_its_keys_in_another_order",
    Rule.BALLOT_FORM,
    3,
    "canonical",
    lambda: with_ballot(2, lambda data: bend_json(data, lambda b: dict(reversed(b.items())))),
)
add(
    "a_ballot_without_a_signature",
    Rule.BALLOT_FORM,
    3,
    "signature",
    lambda: with_ballot(2, lambda data: bend_json(data, lambda b: b.pop("signature") and None)),
)
add("a_ballot_that_is_a_list", Rule.BALLOT_FORM, 3, "", lambda: with_ballot(2, lambda data: b"[]"))
add("a_ballot_that_is_empty", Rule.BALLOT_FORM, 3, "", lambda: with_ballot(2, lambda data: b""))
add("a_ballot_that_is_nested_too_deep", Rule.BALLOT_FORM, 3, "", lambda: with_ballot(2, lambda data: b"[" * 200_000))
add(
    "a_ballot_with_another_number_of_answers",
    Rule.BALLOT_FORM,
    3,
    "answers",
    lambda: _signed_ballot(lambda b: replace(b, answers=b.answers[:1])),
)
add("answers_in_another_order", Rule.BALLOT_FORM, 3, "kind", lambda: _signed_ballot(lambda b: replace(b, answers=b.answers[::-1])))
add(
    "a_choice_left_out",
    Rule.BALLOT_FORM,
    3,
    "",
    lambda: _signed_answer(lambda a: replace(a, choices=a.choices[:2], individual_proofs=a.individual_proofs[:2])),
)
add(
    "a_choice_too_many",
    Rule.BALLOT_FORM,
    3,
    "",
    lambda: _signed_answer(
        lambda a: replace(a, choices=(*a.choices, a.choices[0]), individual_proofs=(*a.individual_proofs, a.individual_proofs[0]))
    ),
)
add(
    "a_proof_of_a_choice_left_out",
    Rule.BALLOT_FORM,
    3,
    "",
    lambda: _signed_answer(lambda a: replace(a, individual_proofs=a.individual_proofs[:2])),
)
add("the_blank_proof_left_out", Rule.BALLOT_FORM, 3, "blank", lambda: _signed_answer(lambda a: replace(a, blank_proof=None)))


def _signed_ballot(bend: Callable[[Ballot], Ballot]) -> Board:
    """The third ballot changed, and signed again with its own credential: what a hostile voter's software can send."""
    return with_ballot(2, lambda data: society().sign(bend(Ballot.parse(data)), 2).to_bytes())


def _signed_answer(bend: Callable[[AnswerH], AnswerH]) -> Board:
    def change(ballot: Ballot) -> Ballot:
        first, *rest = ballot.answers
        assert isinstance(first, AnswerH)
        return replace(ballot, answers=(bend(first), *rest))

    return _signed_ballot(change)


def _signed_ranked(bend: Callable[[AnswerNH], AnswerNH]) -> Board:
    def change(ballot: Ballot) -> Ballot:
        first, second = ballot.answers
        assert isinstance(second, AnswerNH)
        return replace(ballot, answers=(first, bend(second)))

    return _signed_ballot(change)


def _held_signed(bend: Callable[[Ballot], Ballot]) -> Board:
    """As `_signed_ballot`, and the whole tally is honestly made of what was cast: only the ballot's proofs are wrong."""
    return with_ballots(lambda ballots: [*ballots[:2], society().sign(bend(ballots[2]), 2), *ballots[3:]])


def wrong(proof: Proof) -> Proof:
    return replace(proof, response=(proof.response + 1) % Q)


add(
    "a_ballot_of_another_election",
    Rule.BALLOT_ELECTION,
    3,
    "another election",
    lambda: with_ballot(2, lambda _: Society(seed=b"another").ballot(2).to_bytes()),
)
add(
    "a_ballot_for_other_questions",
    Rule.BALLOT_ELECTION,
    3,
    "other questions",
    lambda: with_ballot(2, lambda _: society().ballot(2, election=replace(society().election, name="Another name")).to_bytes()),
)
add(
    "a_ballot_under_another_identifier",
    Rule.BALLOT_ELECTION,
    3,
    "another election",
    lambda: _signed_ballot(lambda b: replace(b, election_uuid="1" * 14)),
)


@cache
def _same_meeting() -> Society:
    """Another election of the same meeting: same members' codes, same key-holders, same questions, another identifier."""
    people = copy(society())
    people.election = replace(people.election, uuid="2" * 14)
    people.credentials = PublicCredentials.from_points([credentials.public(people.election.uuid, code) for code in people.codes])
    return people


add(
    "a_ballot_of_the_same_meetings_other_election",
    Rule.BALLOT_ELECTION,
    3,
    "another election",
    lambda: with_ballot(2, lambda _: _same_meeting().ballot(2).to_bytes()),
)


@case(Rule.BALLOT_ELECTION, 3, "another election")
def a_ballot_of_this_election_in_the_same_meetings_other_one() -> Board:
    board = _same_meeting().hold()
    board.acts[3].payload = society().ballot(2).to_bytes()
    return board


@case(Rule.BALLOT_PROOF, 3, "question 1")
def answers_of_the_same_meetings_other_election_signed_for_this_one() -> Board:
    return _held_signed(lambda b: replace(b, answers=_same_meeting().ballot(2).answers))


@case(Rule.DECRYPTION_PROOF, 14, "key-holder 2")
def a_share_of_the_same_meetings_other_election() -> Board:
    """The same key decrypts the very same ciphertexts, but for another fingerprint."""
    people, other = society(), _same_meeting().election.fingerprint
    return with_share(2, lambda tally, _: gen_partial_decryption(other, tally, people.private_keys[2], people.rng("k")))


@case(Rule.BALLOT_CREDENTIAL, 7, "not in the election's list")
def a_ballot_of_a_made_up_credential() -> Board:
    people = society()
    stranger = create_ballot(people.election, credentials.new_code(SeededRng(b"stranger")), people.choices(1), SeededRng(b"s"))
    return with_ballots(lambda ballots: [*ballots, stranger])


@case(Rule.BALLOT_CREDENTIAL, 3, "not in the election's list")
def a_credential_struck_from_the_list() -> Board:
    board = honest()
    points = [p for p in society().credentials.points if p != society().ballots()[2].credential]
    board.acts[0].parts[CREDENTIALS] = PublicCredentials.from_points(points).to_bytes()
    return board


@case(Rule.BALLOT_TWICE, 7, "votes again")
def a_second_ballot_of_one_credential() -> Board:
    people = society()
    return with_ballots(lambda ballots: [*ballots, people.ballot(1, [[0, 0, 1], [3, 2, 1]], again="second")])


@case(Rule.BALLOT_TWICE, 7, "votes again")
def the_same_answers_signed_again() -> Board:
    people = society()
    ballot = people.ballots()[1]
    assert ballot.signature is not None
    again = replace(ballot, signature=replace(ballot.signature, proof=people.sign(ballot, 1).signature.proof))  # type: ignore[union-attr]
    return with_ballots(lambda ballots: [*ballots, again])


@case(Rule.BALLOT_PROOF, 3, "question 1")
def the_answers_of_another_under_a_sound_signature() -> Board:
    """Ballot copying: the third member sends the first one's sealed answers as their own."""
    return with_ballots(lambda b: [*b[:2], society().sign(replace(b[2], answers=b[0].answers), 2), *b[3:]])


@case(Rule.BALLOT_PROOF, 3, "question 2")
def the_ranking_of_another_under_a_sound_signature() -> Board:
    return _held_signed(lambda b: replace(b, answers=(b.answers[0], society().ballots()[0].answers[1])))


@case(Rule.BALLOT_PROOF, 3, "signature does not hold")
def a_ballot_signed_by_another() -> Board:
    return with_ballot(2, lambda data: society().sign(Ballot.parse(data), 3).to_bytes())


@case(Rule.BALLOT_FORM, 3, "signature is of another ballot")
def a_signature_of_another_ballot() -> Board:
    other = society().ballot(2, again="other").signature
    return with_ballot(2, lambda data: replace(Ballot.parse(data), signature=other).to_bytes())


add(
    "a_false_signature",
    Rule.BALLOT_PROOF,
    3,
    "signature does not hold",
    lambda: with_ballot(2, lambda data: bend_json(data, lambda b: put(b, ("signature", "proof", "response"), "5"))),
)
add(
    "an_individual_proof_that_fails",
    Rule.BALLOT_PROOF,
    3,
    "choice 2",
    lambda: _signed_answer(
        lambda a: replace(
            a,
            individual_proofs=(
                a.individual_proofs[0],
                (wrong(a.individual_proofs[1][0]), a.individual_proofs[1][1]),
                a.individual_proofs[2],
            ),
        )
    ),
)
add(
    "an_individual_proof_with_three_branches",
    Rule.BALLOT_PROOF,
    3,
    "choice 1",
    lambda: _signed_answer(lambda a: replace(a, individual_proofs=((*a.individual_proofs[0], Proof(0, 0)), *a.individual_proofs[1:]))),
)
add(
    "an_individual_proof_without_branches",
    Rule.BALLOT_PROOF,
    3,
    "choice 1",
    lambda: _signed_answer(lambda a: replace(a, individual_proofs=((), *a.individual_proofs[1:]))),
)
add(
    "an_overall_proof_that_fails",
    Rule.BALLOT_PROOF,
    3,
    "number of choices",
    lambda: _signed_answer(lambda a: replace(a, overall_proof=(wrong(a.overall_proof[0]), *a.overall_proof[1:]))),
)
add(
    "an_overall_proof_that_is_empty",
    Rule.BALLOT_PROOF,
    3,
    "number of choices",
    lambda: _signed_answer(lambda a: replace(a, overall_proof=())),
)
add(
    "a_blank_proof_that_fails",
    Rule.BALLOT_PROOF,
    3,
    "number of choices",
    lambda: _signed_answer(lambda a: replace(a, blank_proof=(wrong(a.blank_proof[0]), a.blank_proof[1]))),
)  # type: ignore[index]
add(
    "blank_proofs_swapped",
    Rule.BALLOT_PROOF,
    3,
    "number of choices",
    lambda: _signed_answer(lambda a: replace(a, blank_proof=a.blank_proof[::-1])),
)  # type: ignore[index]
add(
    "a_proof_of_a_ranking_that_fails",
    Rule.BALLOT_PROOF,
    3,
    "question 2",
    lambda: _signed_ranked(lambda a: replace(a, proof=wrong(a.proof))),
)
add(
    "a_ranking_changed_on_its_way",
    Rule.BALLOT_PROOF,
    3,
    "question 2",
    lambda: _signed_ranked(lambda a: replace(a, choices=Ciphertext(a.choices.alpha, a.choices.beta * G))),
)
add(
    "a_vote_made_into_two",
    Rule.BALLOT_PROOF,
    3,
    "choice 2",
    lambda: _signed_answer(
        lambda a: replace(a, choices=(a.choices[0], Ciphertext(a.choices[1].alpha, a.choices[1].beta * G), a.choices[2]))
    ),
)


@case(Rule.BALLOT_PROOF, 3, "choice 2")
def a_hundred_votes_in_one() -> Board:
    """The classic: 100 encrypted as a choice, with the other proofs as they are; the tally counts it."""
    hundred = encrypt_integer(society().election.public_key, 100, 4711)
    return _held_signed(
        lambda b: replace(
            b, answers=(replace(b.answers[0], choices=(b.answers[0].choices[0], hundred, b.answers[0].choices[2])), *b.answers[1:])
        )
    )


def _with_choices(choices: list[int]) -> Ballot:
    """A ballot that answers against the rules, with every proof made as well as it can be made."""
    people = society()
    lax = replace(MOTION, blank=True, min=0, max=2)
    lenient = replace(people.election, questions=(lax, RANKED))
    # Individual proofs do not depend on the question's limits: only the election's fingerprint, which is taken from the true one.
    object.__setattr__(lenient, "fingerprint", people.election.fingerprint)
    ballot = create_ballot(lenient, people.codes[2], [choices, [1, 2, 3]], SeededRng(b"lax"))
    answer = ballot.answers[0]
    assert isinstance(answer, AnswerH)
    return people.sign(replace(ballot, answers=(replace(answer, overall_proof=answer.overall_proof[:2]), ballot.answers[1])), 2)


add(
    "a_vote_for_both_sides",
    Rule.BALLOT_PROOF,
    3,
    "number of choices",
    lambda: with_ballots(lambda b: [*b[:2], _with_choices([0, 1, 1]), *b[3:]]),
)
add(
    "a_vote_for_neither_that_is_not_blank",
    Rule.BALLOT_PROOF,
    3,
    "number of choices",
    lambda: with_ballots(lambda b: [*b[:2], _with_choices([0, 0, 0]), *b[3:]]),
)


# --- points and scalars in every field ----------------------------------------------------------------------------------

P = 2**255 - 19
# The eight points of small order by their y (two x each where it is not 0), then encodings that are no canonical one.
_Y8 = 0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826
SMALL_ORDER = {
    "order 1": 1,
    "order 2": P - 1,
    "order 4": 0,
    "order 4, other sign": 1 << 255,
    "order 8, first": _Y8,
    "order 8, first, other sign": _Y8 | 1 << 255,
    "order 8, second": P - _Y8,
    "order 8, second, other sign": P - _Y8 | 1 << 255,
}
NOT_CANONICAL = {
    "1 as p + 1": P + 1,
    "0 as p": P,
    "0 as p, other sign": P | 1 << 255,
    "1 with the sign of nothing": 1 | 1 << 255,
    "p - 1 with the sign of nothing": P - 1 | 1 << 255,
    "off the curve": 2,
    "all ones": 2**256 - 1,
}
POINTS = {name: f"{z:064x}" for name, z in {**SMALL_ORDER, **NOT_CANONICAL}.items()}
BAD_TEXTS = {
    "upper case": str(G**3).upper(),
    "short": str(G)[:-2],
    "long": "00" + str(G),
    "spaces": " " + str(G)[1:],
    "with 0x": "0x" + str(G)[2:],
    "a number": 5,
}

# Where points stand: (kind of event, its number, part or None for the payload, path in the JSON, rule, height).
FIELDS: dict[str, tuple[str, int, int | None, tuple[Any, ...], Rule, int]] = {
    "election key": ("Setup", 0, ELECTION, ("public_key",), Rule.SETUP_FORM, 0),
    "single key": ("Setup", 0, TRUSTEES, (0, 1, "public_key"), Rule.SETUP_FORM, 0),
    "verification key": ("Setup", 0, TRUSTEES, (*GROUP, "verification_keys", 1, "public_key"), Rule.SETUP_FORM, 0),
    "public credential": ("Setup", 0, CREDENTIALS, (3,), Rule.CREDENTIALS, 0),
    "ballot credential": ("Ballot", 2, None, ("credential",), Rule.BALLOT_FORM, 3),
    "choice alpha": ("Ballot", 2, None, ("answers", 0, "choices", 1, "alpha"), Rule.BALLOT_FORM, 3),
    "choice beta": ("Ballot", 2, None, ("answers", 0, "choices", 1, "beta"), Rule.BALLOT_FORM, 3),
    "ranking alpha": ("Ballot", 2, None, ("answers", 1, "choices", "alpha"), Rule.BALLOT_FORM, 3),
    "ranking beta": ("Ballot", 2, None, ("answers", 1, "choices", "beta"), Rule.BALLOT_FORM, 3),
    "tally alpha": ("EncryptedTally", 0, 0, (0, 1, "alpha"), Rule.TALLY_FORM, 8),
    "tally beta": ("EncryptedTally", 0, 0, (1, 2, "beta"), Rule.TALLY_FORM, 8),
    "shuffled alpha": ("Shuffle", 1, 0, ("ciphertexts", 0, 1, "alpha"), Rule.SHUFFLE_FORM, 10),
    "shuffled beta": ("Shuffle", 1, 0, ("ciphertexts", 0, 1, "beta"), Rule.SHUFFLE_FORM, 10),
    "shuffle t1": ("Shuffle", 1, 0, ("proofs", 0, 0, 0), Rule.SHUFFLE_FORM, 10),
    "shuffle t2": ("Shuffle", 1, 0, ("proofs", 0, 0, 1), Rule.SHUFFLE_FORM, 10),
    "shuffle t3": ("Shuffle", 1, 0, ("proofs", 0, 0, 2), Rule.SHUFFLE_FORM, 10),
    "shuffle t4.1": ("Shuffle", 1, 0, ("proofs", 0, 0, 3, 0), Rule.SHUFFLE_FORM, 10),
    "shuffle t4.2": ("Shuffle", 1, 0, ("proofs", 0, 0, 3, 1), Rule.SHUFFLE_FORM, 10),
    "shuffle t̂": ("Shuffle", 1, 0, ("proofs", 0, 0, 4, 2), Rule.SHUFFLE_FORM, 10),
    "shuffle c": ("Shuffle", 1, 0, ("proofs", 0, 2, 2), Rule.SHUFFLE_FORM, 10),
    "shuffle ĉ": ("Shuffle", 1, 0, ("proofs", 0, 3, 2), Rule.SHUFFLE_FORM, 10),
    "decryption factor of a sum": ("PartialDecryption", 1, 0, ("decryption_factors", 0, 1), Rule.DECRYPTION_FORM, 14),
    "decryption factor of a ranking": ("PartialDecryption", 1, 0, ("decryption_factors", 1, 1), Rule.DECRYPTION_FORM, 14),
}
# The neutral element belongs to the group; where it may stand, the proof around it fails instead.
NEUTRAL_FAILS_ITS_PROOF = {
    "choice beta": Rule.BALLOT_FORM,  # its signature is of another ballot
    "ranking beta": Rule.BALLOT_FORM,
    "tally beta": Rule.TALLY,
    "decryption factor of a sum": Rule.DECRYPTION_PROOF,
    "decryption factor of a ranking": Rule.DECRYPTION_PROOF,
} | {name: Rule.SHUFFLE_PROOF for name in FIELDS if name.startswith("shuffle ") or name == "shuffled beta"}

# Where integers mod q stand.
SCALARS: dict[str, tuple[str, int, int | None, tuple[Any, ...], Rule, int]] = {
    "proof of possession": ("Setup", 0, TRUSTEES, (0, 1, "pok", "challenge"), Rule.SETUP_FORM, 0),
    "certificate": ("Setup", 0, TRUSTEES, (*GROUP, "certs", 0, "signature", "response"), Rule.SETUP_FORM, 0),
    "individual proof": ("Ballot", 2, None, ("answers", 0, "individual_proofs", 0, 1, "challenge"), Rule.BALLOT_FORM, 3),
    "overall proof": ("Ballot", 2, None, ("answers", 0, "overall_proof", 0, "response"), Rule.BALLOT_FORM, 3),
    "blank proof": ("Ballot", 2, None, ("answers", 0, "blank_proof", 0, "response"), Rule.BALLOT_FORM, 3),
    "ranking's proof": ("Ballot", 2, None, ("answers", 1, "proof", "response"), Rule.BALLOT_FORM, 3),
    "signature": ("Ballot", 2, None, ("signature", "proof", "challenge"), Rule.BALLOT_FORM, 3),
    "shuffle s1": ("Shuffle", 1, 0, ("proofs", 0, 1, 0), Rule.SHUFFLE_FORM, 10),
    "shuffle s′": ("Shuffle", 1, 0, ("proofs", 0, 1, 5, 1), Rule.SHUFFLE_FORM, 10),
    "decryption proof": ("PartialDecryption", 1, 0, ("decryption_proofs", 1, 1, "response"), Rule.DECRYPTION_FORM, 14),
}


def with_field(place: tuple[str, int, int | None, tuple[Any, ...], Rule, int], new: Callable[[Any], Any]) -> Board:
    """The honest board with one value of one message changed, and every hash re-made."""
    kind, number, part, path, _, _ = place
    board = honest()
    act = board.act(kind, number)

    def change(data: bytes) -> bytes:
        return bend_json(data, lambda value: put(value, path, new(get(value, path))))

    if part is None:
        assert isinstance(act.payload, bytes)
        act.payload = change(act.payload)
    else:
        act.parts[part] = change(act.parts[part])
    return board


def mixed_order(text: str) -> str:
    """The same point plus one of order 8 (y of an Edwards sum, computed by hand: libsodium's addition takes any point)."""
    from nacl.bindings import crypto_core_ed25519_add

    raw = crypto_core_ed25519_add(bytes.fromhex(text[:64])[::-1], _Y8.to_bytes(32, "little"))
    return raw[::-1].hex()


for _field, _place in FIELDS.items():
    for _name, _text in POINTS.items():
        _rule = NEUTRAL_FAILS_ITS_PROOF.get(_field, _place[4]) if _name == "order 1" else _place[4]
        add(f"{_field}: {_name}", _rule, _place[5], "", partial(with_field, _place, lambda _, text=_text: text))
    add(f"{_field}: outside the prime-order group", _place[4], _place[5], "", partial(with_field, _place, mixed_order))
    for _name, _value in BAD_TEXTS.items():
        _rule = Rule.SETUP_FORM if _field == "public credential" and _name == "a number" else _place[4]
        add(f"{_field}: {_name}", _rule, _place[5], "", partial(with_field, _place, lambda _, value=_value: value))

BAD_SCALARS: dict[str, Callable[[str], Any]] = {
    "plus q": lambda text: str(int(text) + Q),
    "negative": lambda text: str(int(text) - Q),
    "a leading zero": lambda text: "0" + text,
    "a plus sign": lambda text: "+" + text,
    "a space": lambda text: text + " ",
    "underscores": lambda text: text[:3] + "_" + text[3:],
    "foreign digits": lambda text: text.translate({ord("0") + i: 0x0660 + i for i in range(10)}),
    "hexadecimal": lambda text: hex(int(text)),
    "a bare number": int,
    "empty": lambda _: "",
    "a million digits": lambda _: "1" * 1_000_000,
}
for _field, _place in SCALARS.items():
    for _name, _bend in BAD_SCALARS.items():
        add(f"{_field}: {_name}", _place[4], _place[5], "", partial(with_field, _place, _bend))


# --- 6 the encrypted tally ------------------------------------------------------------------------------------------------


def with_tally(bend: Callable[[list[list[Ciphertext]]], Any]) -> Board:
    """An election that goes on with another tally than its ballots come to."""

    def change(tally: EncryptedTally) -> EncryptedTally:
        rows = [list(row) for row in tally.ciphertexts]
        bend(rows)
        return EncryptedTally(tuple(tuple(row) for row in rows))

    return society().hold(bend_tally=change)


def with_size(tallied: int, weight: int) -> Board:
    board = honest()
    board.acts[8].payload = lambda digest: SizedEncryptedTally(tallied, weight, digest).to_bytes()
    return board


add("a_ballot_left_out_of_the_tally", Rule.TALLY, 8, "of 5 ballots", lambda: society().hold(tallied=society().ballots()[1:]))
add(
    "a_ballot_too_many_in_the_tally",
    Rule.TALLY,
    8,
    "of 7 ballots",
    lambda: society().hold(tallied=[*society().ballots(), society().ballot(6)]),
)
add(
    "a_ballot_exchanged_in_the_tally",
    Rule.TALLY,
    8,
    "not what the counted ballots come to",
    lambda: society().hold(tallied=[society().ballot(0, [[0, 1, 0], [1, 2, 3]], again="forged"), *society().ballots()[1:]]),
)
add("rankings_in_another_order", Rule.TALLY, 8, "come to", lambda: with_tally(lambda rows: swap(rows[1], 0, 1)))
add("for_and_against_swapped", Rule.TALLY, 8, "come to", lambda: with_tally(lambda rows: swap(rows[0], 1, 2)))
add("blank_and_for_swapped", Rule.TALLY, 8, "come to", lambda: with_tally(lambda rows: swap(rows[0], 0, 1)))
add(
    "alpha_and_beta_swapped",
    Rule.TALLY,
    8,
    "come to",
    lambda: with_tally(lambda rows: put(rows[0], (1,), Ciphertext(rows[0][1].beta, rows[0][1].alpha))),
)
add(
    "one_vote_added_to_the_sum",
    Rule.TALLY,
    8,
    "come to",
    lambda: with_tally(lambda rows: put(rows[0], (1,), Ciphertext(rows[0][1].alpha, rows[0][1].beta * G))),
)
add("a_ranking_counted_twice", Rule.TALLY, 8, "come to", lambda: with_tally(lambda rows: put(rows[1], (0,), rows[1][1])))
add(
    "questions_swapped",
    Rule.TALLY,
    8,
    "come to",
    lambda: with_part("EncryptedTally", 0, 0, lambda data: bend_json(data, lambda rows: rows[::-1])),
)
add(
    "a_question_left_out",
    Rule.TALLY,
    8,
    "come to",
    lambda: with_part("EncryptedTally", 0, 0, lambda data: bend_json(data, lambda rows: rows[:1])),
)
add(
    "a_tally_with_spaces",
    Rule.TALLY_FORM,
    8,
    "canonical",
    lambda: with_part("EncryptedTally", 0, 0, lambda data: data.replace(b",", b", ", 1)),
)
add(
    "a_tally_with_a_key_twice",
    Rule.TALLY_FORM,
    8,
    "twice",
    lambda: with_part("EncryptedTally", 0, 0, lambda data: data.replace(b'{"alpha":', b'{"alpha":"","alpha":', 1)),
)
add("a_smaller_number_tallied", Rule.TALLY, 8, "of 5 ballots", lambda: with_size(5, 6))
add("a_larger_weight", Rule.TALLY, 8, "", lambda: with_size(6, 60))
add("a_negative_number_tallied", Rule.TALLY, 8, "", lambda: with_size(-6, -6))
add(
    "a_tally_of_unknown_size",
    Rule.TALLY_FORM,
    8,
    "missing",
    lambda: reordered(
        lambda acts: put(acts, (8,), replace(acts[8], payload=lambda digest: b'{"num_tallied":6,"encrypted_tally":"%s"}' % digest.encode()))
    ),
)
add("a_tally_of_no_ballots", Rule.TALLY, 2, "no ballot", lambda: reordered(lambda acts: put(acts, (slice(1, 7),), [])))


@case(Rule.TALLY, 9, "come to")
def the_first_instead_of_the_last_ballot() -> Board:
    """Where votes may be replaced, counting the vote that was replaced."""
    people = Society(seed=b"replace", declarations=replace(DECLARED, replace=True))
    ballots = [*people.ballots(), people.ballot(1, [[0, 1, 0], [3, 2, 1]], again="second")]
    return people.hold(ballots, tallied=ballots[:-1])


@case(Rule.TALLY, 8, "cancel out")
def ballots_whose_randomness_cancels_out() -> Board:
    """All members conspire: the product of alphas is neutral, so the sum would lie open."""
    people = Society([replace(MOTION, blank=None)], seed=b"cancel", group=None)

    class Fixed(SeededRng):
        """The first numbers drawn are the encryption's."""

        def __init__(self, first: list[int]) -> None:
            super().__init__(b"cancel")
            self._first = first

        def scalar(self) -> int:
            return self._first.pop(0) if self._first else super().scalar()

    ballots = [create_ballot(people.election, people.codes[i], [[1, 0]], Fixed([r, r])) for i, r in enumerate((1, 2, 3, 4, 5, Q - 15))]
    acts = [people.setup_act(), *(Act("Ballot", [], b.to_bytes()) for b in ballots), Act("EndBallots")]
    row = [Ciphertext(ONE, G**6), Ciphertext(ONE, ONE)]
    return Board(
        [
            *acts,
            Act("EncryptedTally", [EncryptedTally((tuple(row),)).to_bytes()], lambda digest: SizedEncryptedTally(6, 6, digest).to_bytes()),
        ]
    )


# --- 7 shuffles -----------------------------------------------------------------------------------------------------------


def with_shuffle(owner: int, bend: Callable[[Shuffle], Shuffle]) -> Board:
    """An election in which one key-holder shuffles dishonestly, and the others go on from what they give."""
    return society().hold(bend_shuffle=lambda who, shuffle: bend(shuffle) if who == owner else shuffle)


def bend_proof(shuffle: Shuffle, **changes: Any) -> Shuffle:
    return replace(shuffle, proofs=(replace(shuffle.proofs[0], **changes),))


def _replaced_ciphertext(shuffle: Shuffle) -> Shuffle:
    (row,) = shuffle.ciphertexts
    mine = society().ballot(6).answers[1]
    assert isinstance(mine, AnswerNH)
    return replace(shuffle, ciphertexts=((mine.choices, *row[1:]),))


add("a_ranking_exchanged_in_a_shuffle", Rule.SHUFFLE_PROOF, 10, "key-holder 2", lambda: with_shuffle(2, _replaced_ciphertext))
add(
    "a_ranking_doubled_in_a_shuffle",
    Rule.SHUFFLE_PROOF,
    10,
    "",
    lambda: with_shuffle(2, lambda s: replace(s, ciphertexts=((s.ciphertexts[0][1], *s.ciphertexts[0][1:]),))),
)
add(
    "rankings_in_another_order_after_a_shuffle",
    Rule.SHUFFLE_PROOF,
    9,
    "",
    lambda: with_shuffle(1, lambda s: replace(s, ciphertexts=(s.ciphertexts[0][::-1],))),
)
for _i, _name in enumerate(("s1", "s2", "s3", "s4")):
    add(
        f"a_shuffle_proof_with_another_{_name}",
        Rule.SHUFFLE_PROOF,
        10,
        "does not hold",
        partial(
            with_shuffle, 2, lambda s, i=_i: bend_proof(s, s=(*s.proofs[0].s[:i], (s.proofs[0].s[i] + 1) % Q, *s.proofs[0].s[i + 1 :]))
        ),
    )
add(
    "a_shuffle_proof_with_another_ŝ",
    Rule.SHUFFLE_PROOF,
    10,
    "",
    lambda: with_shuffle(2, lambda s: bend_proof(s, s=(*s.proofs[0].s[:4], s.proofs[0].s[4][::-1], s.proofs[0].s[5]))),
)
add(
    "a_shuffle_proof_with_another_s′",
    Rule.SHUFFLE_PROOF,
    10,
    "",
    lambda: with_shuffle(2, lambda s: bend_proof(s, s=(*s.proofs[0].s[:5], s.proofs[0].s[5][::-1]))),
)
add("a_shuffle_proof_with_another_c", Rule.SHUFFLE_PROOF, 10, "", lambda: with_shuffle(2, lambda s: bend_proof(s, c=s.proofs[0].c[::-1])))
add(
    "a_shuffle_proof_with_another_ĉ",
    Rule.SHUFFLE_PROOF,
    10,
    "",
    lambda: with_shuffle(2, lambda s: bend_proof(s, c_hat=s.proofs[0].c_hat[::-1])),
)
add(
    "a_shuffle_proof_of_the_neutral_element",
    Rule.SHUFFLE_PROOF,
    10,
    "",
    lambda: with_shuffle(
        2,
        lambda s: bend_proof(
            s, t=(ONE, ONE, ONE, (ONE, ONE), (ONE,) * 6), s=(0, 0, 0, 0, (0,) * 6, (0,) * 6), c=(ONE,) * 6, c_hat=(ONE,) * 6
        ),
    ),
)
add(
    "a_shuffle_proof_that_is_empty",
    Rule.SHUFFLE_PROOF,
    10,
    "length",
    lambda: with_shuffle(2, lambda s: bend_proof(s, t=(*s.proofs[0].t[:4], ()), s=(*s.proofs[0].s[:4], (), ()), c=(), c_hat=())),
)
add("a_shuffle_without_proof", Rule.SHUFFLE_PROOF, 10, "one proof", lambda: with_shuffle(2, lambda s: replace(s, proofs=())))
add(
    "a_shuffle_of_nothing",
    Rule.SHUFFLE_FORM,
    10,
    "key-holder 2",
    lambda: with_part("Shuffle", 1, 0, lambda _: b'{"ciphertexts":[],"proofs":[]}'),
)
add(
    "a_shuffle_that_loses_a_ranking",
    Rule.SHUFFLE_FORM,
    10,
    "another number",
    lambda: with_part("Shuffle", 1, 0, lambda data: bend_json(data, lambda s: s["ciphertexts"][0].pop() and None)),
)
add(
    "a_shuffle_with_spaces",
    Rule.SHUFFLE_FORM,
    10,
    "canonical",
    lambda: with_part("Shuffle", 1, 0, lambda data: data.replace(b",", b", ", 1)),
)
add(
    "a_shuffle_by_nobody",
    Rule.SHUFFLE_OWNER,
    10,
    "no key-holder 0",
    lambda: reordered(lambda acts: put(acts, (10,), owned("Shuffle", 0, acts[10].parts[0]))),
)
add(
    "a_shuffle_by_a_negative_number",
    Rule.SHUFFLE_OWNER,
    10,
    "no key-holder -1",
    lambda: reordered(lambda acts: put(acts, (10,), owned("Shuffle", -1, acts[10].parts[0]))),
)
add(
    "a_shuffle_by_a_stranger",
    Rule.SHUFFLE_OWNER,
    10,
    "no key-holder 5",
    lambda: reordered(lambda acts: put(acts, (10,), owned("Shuffle", 5, acts[10].parts[0]))),
)
add(
    "one_key_holder_shuffles_twice",
    Rule.SHUFFLE_OWNER,
    10,
    "appears twice",
    lambda: reordered(lambda acts: put(acts, (10,), owned("Shuffle", 1, acts[10].parts[0]))),
)
add(
    "an_owner_that_is_true",
    Rule.SHUFFLE_FORM,
    9,
    "",
    lambda: reordered(
        lambda acts: put(acts, (9,), Act("Shuffle", acts[9].parts, lambda digest: b'{"owner":true,"payload":"%s"}' % digest.encode()))
    ),
)
add("the_single_key_holder_did_not_shuffle", Rule.SHUFFLE_MISSING, 11, "key-holder 1", lambda: society().hold(shuffling=[2, 3]))
add("too_few_of_the_group_shuffled", Rule.SHUFFLE_MISSING, 11, "1 more of key-holders 2 to 4", lambda: society().hold(shuffling=[1, 4]))
add("only_one_key_holder_shuffled", Rule.SHUFFLE_MISSING, 10, "", lambda: society().hold(shuffling=[1]))
add(
    "a_shuffle_taken_out",
    Rule.SHUFFLE_PROOF,
    9,
    "key-holder 1",
    lambda: reordered(lambda acts: acts.pop(9), society().hold(shuffling=[4, 1, 2, 3])),
)
add("two_shuffles_swapped", Rule.SHUFFLE_PROOF, 9, "key-holder 2", lambda: reordered(lambda acts: swap(acts, 9, 10)))


@case(Rule.OBJECT_REPEATED, 10, "occurs twice")
def a_shuffle_that_is_a_copy_of_the_one_before() -> Board:
    return reordered(lambda acts: put(acts, (10,), owned("Shuffle", 2, acts[9].parts[0])))


@case(Rule.SHUFFLE_PROOF, 11, "key-holder 3")
def a_shuffle_that_skips_the_one_before() -> Board:
    """The third holder shuffles what the first one gave, so that the second one's mixing is lost."""
    people, before = society(), {}

    def change(owner: int, shuffle: Shuffle) -> Shuffle:
        before[owner] = shuffle
        if owner != 3:
            return shuffle
        tally = EncryptedTally(((), before[1].ciphertexts[0]))
        return shuffle_tally(people.election, tally, people.rng("skipping"))

    return people.hold(bend_shuffle=change)


@case(Rule.SHUFFLE_PROOF, 9, "key-holder 1")
def a_shuffle_made_for_another_election() -> Board:
    """Same people, same key and ballots' ciphertexts, another question text: the proof names the fingerprint."""
    people = society()
    other = replace(people.election, name="Another name")
    return people.hold(bend_shuffle=lambda owner, s: shuffle_tally(other, _honest_tally(), people.rng("foreign")) if owner == 1 else s)


def _honest_tally() -> EncryptedTally:
    return EncryptedTally.parse(honest().act("EncryptedTally").parts[0])


@case(Rule.SHUFFLE_PROOF, 10, "key-holder 2")
def proofs_of_two_questions_swapped() -> Board:
    people = Society([RANKED, replace(RANKED, question="And who comes second?")], seed=b"two")
    return people.hold(bend_shuffle=lambda owner, s: replace(s, proofs=s.proofs[::-1]) if owner == 2 else s)


# --- 8 partial decryptions --------------------------------------------------------------------------------------------------


def _swapped_owners() -> Board:
    board = honest()
    board.acts[14] = owned("PartialDecryption", 3, honest().acts[14].parts[0])
    board.acts[15] = owned("PartialDecryption", 2, honest().acts[15].parts[0])
    return board


def with_share(
    owner: int, bend: Callable[[EncryptedTally, PartialDecryption], PartialDecryption], people: Society | None = None, **how: Any
) -> Board:
    """An election in which one key-holder publishes another share, and the result is what all shares open to."""
    return (people or society()).hold(bend_share=lambda who, tally, share: bend(tally, share) if who == owner else share, **how)


def at(rows: tuple[tuple[Any, ...], ...], question: int, place: int, new: Any) -> tuple[tuple[Any, ...], ...]:
    changed = [list(row) for row in rows]
    changed[question][place] = new
    return tuple(map(tuple, changed))


def noise(people: Society, owner: int, question: int, place: int) -> Callable[[EncryptedTally, PartialDecryption], PartialDecryption]:
    """Threats 1.3: a factor that is not alpha^x, with a v1 proof that holds.

    v1's challenge hashes the key and both commitments only. So the second commitment is drawn freely, and the factor solved
    for afterwards: what the ciphertext opens to becomes random, and every v1 verifier is content.
    """

    def change(tally: EncryptedTally, share: PartialDecryption) -> PartialDecryption:
        rng = people.rng("noise")
        x, alpha = people.private_keys[owner], tally.ciphertexts[question][place].alpha
        w, b = rng.scalar(), G ** rng.scalar()
        challenge = fiat_shamir(f"decrypt|{people.election.fingerprint}|{G**x}", G**w, b)
        response = (w - x * challenge) % Q
        factor = (b / alpha**response) ** pow(challenge, -1, Q)
        return PartialDecryption(
            at(share.decryption_factors, question, place, factor), at(share.decryption_proofs, question, place, Proof(challenge, response))
        )

    return change


add(
    "a_false_decryption_factor",
    Rule.DECRYPTION_PROOF,
    14,
    "key-holder 2",
    lambda: with_share(2, lambda _, s: replace(s, decryption_factors=at(s.decryption_factors, 0, 1, G))),
)
add(
    "two_decryption_factors_swapped",
    Rule.DECRYPTION_PROOF,
    14,
    "",
    lambda: with_share(2, lambda _, s: replace(s, decryption_factors=(s.decryption_factors[0][::-1], s.decryption_factors[1]))),
)
add(
    "a_false_decryption_proof",
    Rule.DECRYPTION_PROOF,
    14,
    "question 2, ciphertext 4",
    lambda: with_share(2, lambda _, s: replace(s, decryption_proofs=at(s.decryption_proofs, 1, 3, Proof(1, 2)))),
)
add(
    "a_decryption_with_another_key",
    Rule.DECRYPTION_PROOF,
    14,
    "",
    lambda: with_share(2, lambda tally, _: gen_partial_decryption(society().election.fingerprint, tally, 4711, society().rng("k"))),
)
add(
    "a_decryption_with_another_holders_key",
    Rule.DECRYPTION_PROOF,
    14,
    "",
    lambda: with_share(
        2, lambda tally, _: gen_partial_decryption(society().election.fingerprint, tally, society().private_keys[4], society().rng("k"))
    ),
)
add(
    "a_decryption_made_for_another_election",
    Rule.DECRYPTION_PROOF,
    14,
    "",
    lambda: with_share(2, lambda tally, _: gen_partial_decryption("A" * 43, tally, society().private_keys[2], society().rng("k"))),
)
add(
    "a_decryption_of_the_ballots_before_the_shuffles",
    Rule.DECRYPTION_PROOF,
    14,
    "",
    lambda: with_share(
        2,
        lambda _, __: gen_partial_decryption(
            society().election.fingerprint, _honest_tally(), society().private_keys[2], society().rng("k")
        ),
    ),
)
add(
    "a_decryption_with_a_factor_left_out",
    Rule.DECRYPTION_FORM,
    14,
    "shape",
    lambda: with_part("PartialDecryption", 1, 0, lambda data: bend_json(data, lambda s: s["decryption_factors"][1].pop() and None)),
)
add(
    "a_decryption_with_a_proof_left_out",
    Rule.DECRYPTION_FORM,
    14,
    "shape",
    lambda: with_part("PartialDecryption", 1, 0, lambda data: bend_json(data, lambda s: s["decryption_proofs"][1].pop() and None)),
)
add(
    "a_decryption_without_proofs",
    Rule.DECRYPTION_FORM,
    14,
    "shape",
    lambda: with_part("PartialDecryption", 1, 0, lambda data: bend_json(data, lambda s: put(s, ("decryption_proofs",), []))),
)
add(
    "a_decryption_with_spaces",
    Rule.DECRYPTION_FORM,
    14,
    "canonical",
    lambda: with_part("PartialDecryption", 1, 0, lambda data: data.replace(b",", b", ", 1)),
)
add(
    "a_decryption_by_a_stranger",
    Rule.DECRYPTION_OWNER,
    14,
    "no key-holder 5",
    lambda: reordered(lambda acts: put(acts, (14,), owned("PartialDecryption", 5, acts[14].parts[0]))),
)
add(
    "a_decryption_by_nobody",
    Rule.DECRYPTION_OWNER,
    14,
    "no key-holder 0",
    lambda: reordered(lambda acts: put(acts, (14,), owned("PartialDecryption", 0, acts[14].parts[0]))),
)
add(
    "one_key_holder_decrypts_twice",
    Rule.DECRYPTION_OWNER,
    14,
    "appears twice",
    lambda: reordered(lambda acts: put(acts, (14,), owned("PartialDecryption", 1, acts[14].parts[0]))),
)
add("decryptions_under_each_others_names", Rule.DECRYPTION_PROOF, 14, "key-holder 3", _swapped_owners)
add("the_single_key_holder_did_not_decrypt", Rule.DECRYPTION_MISSING, 15, "key-holder 1", lambda: society().hold(decrypting=[2, 3]))
add("too_few_of_the_group_decrypted", Rule.DECRYPTION_MISSING, 15, "1 more", lambda: society().hold(decrypting=[1, 4]))


def with_companions(bend: Callable[[list[Any]], Any], board: Board | None = None) -> Hostile:
    """The honest board with its companion file changed."""
    board = board or honest()
    data = board.companion_bytes()
    assert data is not None
    return Hostile(board.to_bytes(), bend_json(data, bend))


@case(Rule.COMPANION_PROOF, 14, "key-holder 2")
def a_ranking_turned_into_noise_after_seeing_the_others_shares() -> Board:
    return with_share(2, noise(society(), 2, 1, 3))


@case(Rule.COMPANION_PROOF, 13, "key-holder 1")
def a_sum_made_undecodable() -> Board:
    return with_share(1, noise(society(), 1, 0, 1))


@case(Rule.DECRYPTION_AGREEMENT, 17, "contradict each other")
def noise_in_a_plain_v1_election_with_a_share_to_spare() -> Board:
    people = Society(declarations=None)
    return with_share(3, noise(people, 3, 1, 2), people, decrypting=[1, 2, 3, 4])


@case(Rule.RESULT_VALUE, 16, "do not open to a number")
def a_sum_made_undecodable_in_a_plain_v1_election() -> Board:
    people = Society(declarations=None)
    return with_share(2, noise(people, 2, 0, 1), people)


add("companions_stripped", Rule.COMPANION_MISSING, 13, "without the companion proofs", lambda: Hostile(honest().to_bytes(), None))
add("companions_of_one_holder_stripped", Rule.COMPANION_MISSING, 14, "key-holder 2", lambda: with_companions(lambda c: c.pop(1) and None))
add("companions_emptied", Rule.COMPANION_MISSING, 13, "", lambda: with_companions(lambda c: []))
add("companions_that_are_no_json", Rule.COMPANION_FORM, 13, "JSON", lambda: Hostile(honest().to_bytes(), b"\x00\xff rubbish"))
add(
    "companions_with_a_key_twice",
    Rule.COMPANION_FORM,
    13,
    "twice",
    lambda: Hostile(honest().to_bytes(), (honest().companion_bytes() or b"").replace(b'{"version":1', b'{"version":1,"version":1', 1)),
)
add(
    "companions_with_spaces",
    Rule.COMPANION_FORM,
    13,
    "canonical",
    lambda: Hostile(honest().to_bytes(), (honest().companion_bytes() or b"").replace(b",", b", ")),
)
add("companions_of_another_version", Rule.COMPANION_FORM, 13, "version", lambda: with_companions(lambda c: put(c, (0, "version"), 2)))
add("companions_of_one_holder_twice", Rule.COMPANION_FORM, 13, "once", lambda: with_companions(lambda c: c.insert(1, c[0])))
add("companions_in_another_order", Rule.COMPANION_FORM, 13, "order", lambda: with_companions(lambda c: c.reverse()))
add(
    "companions_of_another_election",
    Rule.COMPANION_FORM,
    13,
    "another election",
    lambda: Hostile(honest().to_bytes(), Society(seed=b"another").hold().companion_bytes()),
)
add(
    "companions_of_another_fingerprint",
    Rule.COMPANION_FORM,
    13,
    "another election",
    lambda: with_companions(lambda c: put(c, (0, "fingerprint"), "A" * 43)),
)
add(
    "companions_of_another_share",
    Rule.COMPANION_FORM,
    14,
    "another partial decryption",
    lambda: with_companions(lambda c: put(c, (1, "partial_decryption"), "0" * 64)),
)
add(
    "companions_under_each_others_names",
    Rule.COMPANION_FORM,
    14,
    "another partial decryption",
    lambda: with_companions(lambda c: [c[0], {**c[2], "owner": 2}, {**c[1], "owner": 3}]),
)
add(
    "companions_with_a_proof_left_out",
    Rule.COMPANION_FORM,
    14,
    "shape",
    lambda: with_companions(lambda c: c[1]["proofs"][1].pop() and None),
)
add(
    "a_companion_proof_that_fails",
    Rule.COMPANION_PROOF,
    14,
    "question 2, ciphertext 3",
    lambda: with_companions(lambda c: put(c, (1, "proofs", 1, 2, "response"), "7")),
)
add("two_companion_proofs_swapped", Rule.COMPANION_PROOF, 14, "", lambda: with_companions(lambda c: swap(c[1]["proofs"][1], 0, 1)))
add(
    "v1_proofs_as_companion_proofs",
    Rule.COMPANION_PROOF,
    14,
    "",
    lambda: with_companions(lambda c: put(c, (1, "proofs"), json.loads(honest().acts[14].parts[0])["decryption_proofs"])),
)
add(
    "companions_of_a_holder_who_did_not_decrypt",
    Rule.COMPANION_FORM,
    16,
    "key-holder 4",
    lambda: with_companions(lambda c: c.append({**c[2], "owner": 4})),
)


# --- 9 the result -----------------------------------------------------------------------------------------------------------


def with_result(bend: Callable[[Any], Any]) -> Board:
    board = honest()
    act = board.act("Result")
    assert isinstance(act.payload, bytes)
    act.payload = bend_json(act.payload, bend)
    return board


add(
    "a_vote_added_to_the_result",
    Rule.RESULT_VALUE,
    16,
    "not what the decryptions say",
    lambda: with_result(lambda r: put(r, ("result", 0, 1), r["result"][0][1] + 1)),
)
add(
    "for_and_against_swapped_in_the_result",
    Rule.RESULT_VALUE,
    16,
    "",
    lambda: with_result(lambda r: r["result"][0].reverse() or r["result"][0].append(r["result"][0].pop(0) + 1)),
)
add(
    "votes_moved_from_one_side_to_the_other",
    Rule.RESULT_VALUE,
    16,
    "",
    lambda: with_result(lambda r: put(r, ("result", 0), [r["result"][0][0], r["result"][0][1] + 1, r["result"][0][2] - 1])),
)
add(
    "a_ranking_changed_in_the_result",
    Rule.RESULT_VALUE,
    16,
    "",
    lambda: with_result(lambda r: r["result"][1][0].reverse() or r["result"][1][0].append(r["result"][1][0].pop(1))),
)
add(
    "rankings_in_another_order_in_the_result",
    Rule.RESULT_VALUE,
    16,
    "",
    lambda: with_result(lambda r: put(r, ("result", 1), r["result"][1][1:] + r["result"][1][:1])),
)
add("a_ranking_left_out_of_the_result", Rule.RESULT_VALUE, 16, "", lambda: with_result(lambda r: r["result"][1].pop() and None))
add("a_ranking_added_to_the_result", Rule.RESULT_VALUE, 16, "", lambda: with_result(lambda r: r["result"][1].append([1, 2, 3])))
add("a_question_left_out_of_the_result", Rule.RESULT_VALUE, 16, "", lambda: with_result(lambda r: r["result"].pop() and None))
add("questions_swapped_in_the_result", Rule.RESULT_VALUE, 16, "", lambda: with_result(lambda r: r["result"].reverse()))
add("an_empty_result", Rule.RESULT_VALUE, 16, "", lambda: with_result(lambda r: put(r, ("result",), [])))
add(
    "a_result_with_spaces",
    Rule.RESULT_FORM,
    16,
    "canonical",
    lambda: reordered(lambda acts: put(acts, (16,), Act("Result", [], acts[16].payload.replace(b",", b", ")))),
)  # type: ignore[union-attr]
add("a_result_with_fractions", Rule.RESULT_FORM, 16, "integer", lambda: with_result(lambda r: put(r, ("result", 0, 1), 2.5)))
add("a_result_with_text", Rule.RESULT_FORM, 16, "", lambda: with_result(lambda r: put(r, ("result", 0, 1), "2")))
add("a_result_with_true", Rule.RESULT_FORM, 16, "", lambda: with_result(lambda r: put(r, ("result", 0, 1), True)))
add(
    "a_result_with_a_key_twice",
    Rule.RESULT_FORM,
    16,
    "twice",
    lambda: reordered(lambda acts: put(acts, (16,), Act("Result", [], b'{"result":[],' + acts[16].payload[1:]))),
)  # type: ignore[index]
add("a_result_that_is_empty", Rule.RESULT_FORM, 16, "", lambda: reordered(lambda acts: put(acts, (16,), Act("Result", [], b""))))


@case(Rule.RESULT_VALUE, 16, "not what the decryptions say")
def the_result_of_another_election() -> Board:
    board = honest()
    board.acts[16] = Society(seed=b"another").hold([Society(seed=b"another").ballot(i, [[0, 1, 0], [1, 2, 3]]) for i in range(6)]).acts[16]
    return board


# --- 10 the count ---------------------------------------------------------------------------------------------------

RULES = (
    {"rule": "motion", "threshold": "simple-majority", "base": "cast", "quorum": 2},
    {"rule": "scottish-2011", "seats": 2, "ron": False},
)


def counted(rules: tuple[dict[str, Any], ...] = RULES, bend: Callable[[bytes], bytes] = lambda data: data) -> Hostile:
    """An honest election that declares these rules, and its file of results after `bend`."""
    people = Society(seed=b"counted", declarations=replace(DECLARED, rules=rules))
    board = people.hold()
    result, seed = board.acts[16].payload, board.hash_at(12)
    assert isinstance(result, bytes)
    outcomes = count_election(
        people.election, people.declarations, Result.parse(result), ballots=6, electorate=len(people.codes), seed=seed
    )
    file = results_file(people.election, outcomes, result_hash=sha256_hex(result), seed=seed)
    return Hostile(board.to_bytes(), board.companion_bytes(), results=bend(file))


@case(Rule.COUNT_RULE, 16, "borda")
def an_unknown_counting_rule() -> Hostile:
    return counted((RULES[0], {"rule": "borda", "seats": 1}))


@case(Rule.COUNT_RULE, 16, "does not know")
def a_counting_rule_with_an_unknown_setting() -> Hostile:
    return counted(({**RULES[0], "casting": "chair"}, RULES[1]))


@case(Rule.COUNT_VALUE, 16, "file of results")
def another_candidate_elected_in_the_file_of_results() -> Hostile:
    return counted(bend=lambda data: data.replace(b'"name":"Ann"', b'"name":"Eve"'))


@case(Rule.COUNT_VALUE, 16, "file of results")
def a_lot_that_was_never_drawn_in_the_file_of_results() -> Hostile:
    return counted(bend=lambda data: data.replace(b'"lots":{}', b'"lots":{"2":[3,2,1]}'))


@case(Rule.COUNT_VALUE, 16, "file of results")
def a_file_of_results_of_another_election() -> Hostile:
    return counted(bend=lambda data: data.replace(b'"result":"', b'"result":"0'))


@case(Rule.COUNT_VALUE, 16, "file of results")
def a_file_of_results_with_a_newline_more() -> Hostile:
    return counted(bend=lambda data: data + b"\n")


@case(Rule.COUNT_FORM, 16, "acts")
def a_file_of_results_without_acts() -> Hostile:
    return counted(bend=lambda data: data.replace(b'"acts"', b'"bcts"'))


@case(Rule.COUNT_FORM, 16, "JSON")
def a_file_of_results_with_a_key_twice() -> Hostile:
    return counted(bend=lambda data: b'{"acts":{},' + data[1:])


@case(Rule.COUNT_FORM, 16, "JSON")
def a_file_of_results_cut_short() -> Hostile:
    return counted(bend=lambda data: data[:-3])
