"""A paper card in two halves: neither officer can vote with theirs, the old link dies at once, and both are on the record."""

from __future__ import annotations

import pytest

from ballot.errors import ApprovalNeededError, NotAllowedError, PreconditionError, TokenInvalidError, TypedCodeError
from ballot.models import Meeting, RollEntry
from ballot.protocol.credentials import derive_code, derive_credential
from ballot.protocol.proofs import prove_typed_code
from ballot.services import approvals, board, journal, registrar, tokens
from ballot.services.approvals import Need
from ballot.services.journal import Act, Actor
from ballot.services.registrar import CardHalf, Cause
from tests.services.world import CLOSES, MOTION, OFFICER, World

ASKED, AGREED = OFFICER, Actor("d00d", "membership-secretary")


@pytest.fixture
def opened(world: World) -> tuple[Meeting, str, RollEntry]:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    return meeting, uuid, world.members(meeting)[0]


def agreed(world: World, meeting: Meeting, handle: str) -> str:
    with world.database.write() as session:
        asked = approvals.ask(session, meeting.id, Need.CARD, handle, "", ASKED, world.now).id
    with world.database.write() as session:
        approvals.give(session, asked, AGREED, world.now)
    return asked


def make(world: World, meeting: Meeting, handle: str) -> None:
    approval = agreed(world, meeting, handle)
    with world.database.write() as session:
        registrar.make_card(session, handle, cause=Cause.MEMBER_ASKED, actor=AGREED, approval=approval, now=world.now)


def printed(world: World, handle: str, actor: Actor) -> CardHalf:
    with world.database.write() as session:
        return registrar.print_card(session, world.config, world.keys, handle, actor, world.now, CLOSES)


def typed(world: World, uuid: str, code: str, half: str = "") -> str:
    """What the booth does with a typed code."""
    key, credential = derive_credential(uuid, code)
    nonce = tokens.typed_start(world.keys, uuid, str(credential), world.now)
    proof = prove_typed_code(uuid, nonce, key, world.rng)
    with world.database.read() as session:
        return tokens.typed_finish(
            session, world.keys, election_uuid=uuid, credential=str(credential), nonce=nonce,
            challenge=str(proof.challenge), response=str(proof.response), expires=CLOSES, now=world.now, half=half,
        )  # fmt: skip


def test_both_halves_together_vote_and_neither_does_alone(world: World, opened: tuple[Meeting, str, RollEntry]) -> None:
    meeting, uuid, entry = opened
    old = world.token(entry)
    make(world, meeting, entry.handle)
    link, code = printed(world, entry.handle, ASKED), printed(world, entry.handle, AGREED)
    assert ("", True) == (link.code, link.url.startswith("https://vote.example.org/vote#"))
    assert ("", derive_code(world.keys.registrar, meeting.id, entry.handle)) == (code.url, code.code)
    token = link.url.partition("#")[2]
    with pytest.raises(TokenInvalidError):  # the old link is dead
        board.cast(world.database, world.keys, uuid, old, world.ballot(uuid, entry, [(0, 1, 0)]), world.now)
    with pytest.raises(TypedCodeError):  # the code alone opens nothing
        typed(world, uuid, code.code)
    for other in (old, world.token(world.members(meeting)[1]), "rubbish"):
        with pytest.raises(TypedCodeError):
            typed(world, uuid, code.code, other)
    good = typed(world, uuid, code.code, token)
    board.cast(world.database, world.keys, uuid, good, world.ballot(uuid, entry, [(0, 1, 0)]), world.now)
    with pytest.raises(PreconditionError, match="voted already"):
        make(world, meeting, entry.handle)


def test_each_half_is_printed_once_by_its_own_officer(world: World, opened: tuple[Meeting, str, RollEntry]) -> None:
    meeting, _, entry = opened
    make(world, meeting, entry.handle)
    with pytest.raises(PreconditionError, match="No half"):
        printed(world, entry.handle, Actor("third", "returning-officer"))
    with pytest.raises(NotAllowedError):
        printed(world, entry.handle, Actor(ASKED.id, "observer"))
    printed(world, entry.handle, ASKED)
    with pytest.raises(PreconditionError, match="No half"):
        printed(world, entry.handle, ASKED)
    printed(world, entry.handle, AGREED)
    with world.database.read() as session:
        found = [entry for entry in journal.entries(session, meeting.id) if "card" in entry.act]
    assert [Act.CARD_MADE, Act.CARD_PRINTED, Act.CARD_PRINTED] == [entry.act for entry in found]
    assert ({"cause": "the member asked", "number so far": 1}, ASKED.id) == (found[0].details, found[0].second)
    assert entry.handle not in "".join(entry.to_bytes().decode() for entry in found)


def test_a_card_takes_two_people_in_every_meeting(world: World, opened: tuple[Meeting, str, RollEntry]) -> None:
    _, _, entry = opened
    with pytest.raises(ApprovalNeededError), world.database.write() as session:
        registrar.make_card(session, entry.handle, cause=Cause.MEMBER_ASKED, actor=OFFICER, approval=None, now=world.now)
    with pytest.raises(NotAllowedError), world.database.write() as session:
        registrar.make_card(session, entry.handle, cause=Cause.MEMBER_ASKED, actor=Actor("x", "observer"), approval=None, now=world.now)


def test_a_new_link_takes_a_waiting_card_back_and_cards_are_limited(world: World, opened: tuple[Meeting, str, RollEntry]) -> None:
    meeting, _, entry = opened
    make(world, meeting, entry.handle)
    with world.database.write() as session:
        registrar.reissue(session, entry.handle, cause=Cause.MEMBER_ASKED, email=None, actor=OFFICER, approval=None, now=world.now)
    with pytest.raises(PreconditionError, match="No half"):
        printed(world, entry.handle, ASKED)
    make(world, meeting, entry.handle)
    make(world, meeting, entry.handle)
    with pytest.raises(PreconditionError, match="No more cards"):
        make(world, meeting, entry.handle)


def test_where_a_registrar_has_the_codes_only_the_link_is_printed_here(world: World) -> None:
    meeting = world.meeting(split_trust=True)
    entry = world.members(meeting)[0]
    make(world, meeting, entry.handle)
    assert printed(world, entry.handle, ASKED).url
    with pytest.raises(PreconditionError, match="No half"):
        printed(world, entry.handle, AGREED)
