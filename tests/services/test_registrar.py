"""Links and codes, the typed-code route, split trust, and help for one member."""

from __future__ import annotations

import csv
import io
from datetime import timedelta

import pytest

from ballot.errors import (
    ApprovalNeededError,
    MalformedError,
    NotFoundError,
    NotInElectorateError,
    PreconditionError,
    TokenInvalidError,
    TypedCodeError,
)
from ballot.models import Meeting, Roll, RollEntry
from ballot.protocol import credentials
from ballot.protocol.ballots import create_ballot
from ballot.protocol.proofs import prove_typed_code
from ballot.services import board, journal, lifecycle, registrar, roll, tokens
from ballot.services.approvals import Need
from ballot.services.keys import Keys
from ballot.services.registrar import Cause
from tests.services.world import CLOSES, OFFICER, SECRETARY, World

EXPIRES = CLOSES + timedelta(days=30)


def opened(world: World, **options: bool) -> tuple[Meeting, str, list[RollEntry]]:
    meeting = world.meeting(**options)  # type: ignore[arg-type]
    uuid = world.election(meeting)
    world.open(uuid)
    return meeting, uuid, world.members(meeting)


# --- links --------------------------------------------------------------------------------------------------------


def test_the_link_keeps_everything_secret_after_the_hash(world: World) -> None:
    _, _, members = opened(world)
    link = world.link(members[0])
    page, _, secret = link.url.partition("#")
    token, _, code = secret.rpartition(".")
    assert "https://vote.example.org/vote" == page
    assert (registrar.voting_code(world.keys, members[0]), link.code) == (code, code)
    claim = tokens.read_voting_token(world.keys, token, world.now)
    assert (members[0].meeting_id, members[0].handle, 0) == (claim.meeting_id, claim.handle, claim.generation)
    assert claim.expires == EXPIRES


def test_making_a_link_again_gives_the_same_one_and_changes_nothing(world: World) -> None:
    meeting, _, members = opened(world)
    with world.database.read() as session:
        before = journal.text(session, meeting.id)
    assert world.link(members[0]) == world.link(members[0])
    with world.database.read() as session:
        assert before == journal.text(session, meeting.id)


def test_each_member_has_another_code_and_each_installation_and_meeting_too(world: World) -> None:
    meeting, other = world.meeting(), world.meeting()
    entries = world.members(meeting) + world.members(other)
    codes = {registrar.voting_code(keys, entry) for keys in (world.keys, Keys.from_seed(b"x")) for entry in entries}
    assert 32 == len(codes)


# --- the typed code -----------------------------------------------------------------------------------------------


def typed(world: World, uuid: str, code: str, *, nonce: str | None = None, credential: str | None = None) -> str:
    """What the booth does with a typed code."""
    secret, public = credentials.derive_credential(uuid, code)
    nonce = nonce or tokens.typed_start(world.keys, uuid, str(public), world.now)
    proof = prove_typed_code(uuid, nonce, secret, world.rng)
    with world.database.read() as session:
        return tokens.typed_finish(
            session,
            world.keys,
            election_uuid=uuid,
            credential=credential or str(public),
            nonce=nonce,
            challenge=str(proof.challenge),
            response=str(proof.response),
            expires=EXPIRES,
            now=world.now,
        )


def test_a_typed_code_gives_a_token_that_votes(world: World) -> None:
    _, uuid, members = opened(world)
    token = typed(world, uuid, registrar.voting_code(world.keys, members[2]))
    with pytest.raises(NotInElectorateError):
        board.cast(world.database, world.keys, uuid, token, world.ballot(uuid, members[3]), world.now)
    assert 1 == board.cast(world.database, world.keys, uuid, token, world.ballot(uuid, members[2]), world.now).height


def test_every_typed_code_that_does_not_open_is_refused_in_the_same_words(world: World) -> None:
    _, uuid, members = opened(world)
    code = registrar.voting_code(world.keys, members[2])
    public = str(credentials.public(uuid, code))
    foreign = tokens.typed_start(Keys.from_seed(b"x"), uuid, public, world.now)
    for_other = tokens.typed_start(world.keys, uuid, str(credentials.public(uuid, "12345-123456-12345-123456")), world.now)
    old = tokens.typed_start(world.keys, uuid, public, world.now - tokens.NONCE_LIFE)
    words = set()
    attempts = [
        {"code": "12345-123456-12345-123456"},
        {"code": code, "nonce": foreign},
        {"code": code, "nonce": for_other},
        {"code": code, "nonce": old},
        {"code": code, "nonce": "x" * 2000},
        {"code": code, "credential": str(credentials.public(uuid, registrar.voting_code(world.keys, members[3])))},
        {"code": code, "credential": "f" * 64},
        {"code": code, "credential": "01" + "0" * 62},
    ]
    for attempt in attempts:
        with pytest.raises(TypedCodeError) as caught:
            typed(world, uuid, **attempt)
        words.add(str(caught.value))
    assert 1 == len(words)


def test_a_proof_with_numbers_out_of_form_is_refused(world: World) -> None:
    _, uuid, members = opened(world)
    secret, public = credentials.derive_credential(uuid, registrar.voting_code(world.keys, members[2]))
    nonce = tokens.typed_start(world.keys, uuid, str(public), world.now)
    proof = prove_typed_code(uuid, nonce, secret, world.rng)
    for challenge, response in ((f"0{proof.challenge}", str(proof.response)), (str(proof.challenge), "-1"), ("", ""), ("９", "１")):
        with world.database.read() as session, pytest.raises(TypedCodeError):
            tokens.typed_finish(
                session,
                world.keys,
                election_uuid=uuid,
                credential=str(public),
                nonce=nonce,
                challenge=challenge,
                response=response,
                expires=EXPIRES,
                now=world.now,
            )


# --- reissue and withdrawal ---------------------------------------------------------------------------------------


def reissue(world: World, meeting: Meeting, entry: RollEntry, email: str | None = None) -> RollEntry:
    approval = world.agreed(meeting.id, Need.REISSUE, entry.handle, registrar.new_link_wording(Cause.WRONG_ADDRESS, email))
    with world.database.write() as session:
        return registrar.reissue(
            session, entry.handle, cause=Cause.WRONG_ADDRESS, email=email, actor=OFFICER, approval=approval, now=world.now
        )


def test_a_reissue_kills_the_old_link_and_the_typed_code_and_the_new_link_votes(world: World) -> None:
    meeting, uuid, members = opened(world)
    old, ballot = world.token(members[0]), world.ballot(uuid, members[0])
    entry = reissue(world, meeting, members[0], email="New.Address@example.org")
    with pytest.raises(TokenInvalidError):
        board.cast(world.database, world.keys, uuid, old, ballot, world.now)
    with pytest.raises(TypedCodeError):
        typed(world, uuid, registrar.voting_code(world.keys, members[0]))
    assert (1, "New.Address@example.org") == (entry.generation, entry.email)
    assert 1 == board.cast(world.database, world.keys, uuid, world.token(entry), ballot, world.now).height


def test_the_record_of_a_reissue_names_nobody(world: World) -> None:
    meeting, _, members = opened(world)
    reissue(world, meeting, members[0], email="new@example.org")
    with world.database.read() as session:
        text, last = journal.text(session, meeting.id).decode(), journal.entries(session, meeting.id)[-1]
        assert 1 == registrar.reissues(session, meeting.id)
    assert ("an address corrected", {"cause": "the address was wrong", "number so far": 1}) == (last.act, last.details)
    assert members[0].handle not in text
    assert "new@example.org" not in text


def test_a_corrected_address_leaves_the_frozen_fingerprint_as_it_was(world: World) -> None:
    """The list behind the fingerprint was computed from the corrected addresses, and no longer gave what was published."""
    meeting, _, members = opened(world)
    with world.database.read() as session:
        before = roll.leaves(session, session.get_one(Roll, meeting.id))
    for address in ("first@example.org", "second@example.org"):
        reissue(world, meeting, members[0], email=address)
    with world.database.read() as session:
        found = session.get_one(Roll, meeting.id)
        assert before == roll.leaves(session, found)
        assert found.commitment == roll.commitment(meeting.id, before)


def test_never_after_the_vote_is_spent(world: World) -> None:
    meeting, uuid, members = opened(world)
    world.cast(uuid, members[0])
    with pytest.raises(PreconditionError, match="voted already"):
        reissue(world, meeting, members[0])
    approval = world.agreed(meeting.id, Need.WITHDRAW, members[0].handle)
    with world.database.write() as session, pytest.raises(PreconditionError, match="voted already"):
        registrar.withdraw(session, members[0].handle, cause=Cause.MEMBER_ASKED, actor=OFFICER, approval=approval, now=world.now)


def test_a_second_person_has_to_agree_and_one_agreement_is_one_reissue(world: World) -> None:
    meeting, _, members = opened(world)
    approval = world.agreed(meeting.id, Need.REISSUE, members[0].handle, Cause.MEMBER_ASKED)
    with world.database.write() as session, pytest.raises(ApprovalNeededError):  # nobody agreed to this address
        registrar.reissue(
            session,
            members[0].handle,
            cause=Cause.MEMBER_ASKED,
            email="mallory@example.org",
            actor=OFFICER,
            approval=approval,
            now=world.now,
        )
    for handle, given in ((members[0].handle, None), (members[1].handle, approval)):
        with world.database.write() as session, pytest.raises(ApprovalNeededError):
            registrar.reissue(session, handle, cause=Cause.MEMBER_ASKED, email=None, actor=OFFICER, approval=given, now=world.now)

    def again() -> None:
        with world.database.write() as session:
            registrar.reissue(
                session, members[0].handle, cause=Cause.MEMBER_ASKED, email=None, actor=OFFICER, approval=approval, now=world.now
            )

    again()
    with pytest.raises(ApprovalNeededError):
        again()


def test_a_correction_needs_an_address_of_nobody_else(world: World) -> None:
    meeting, _, members = opened(world)
    with pytest.raises(PreconditionError, match="Another member"):
        reissue(world, meeting, members[0], email="MEMBER1+x@example.org")
    with pytest.raises(MalformedError):
        reissue(world, meeting, members[0], email="x@example.org\r\nBcc: y@example.org")
    with world.database.write() as session, pytest.raises(NotFoundError):
        registrar.reissue(session, "nobody", cause=Cause.MEMBER_ASKED, email=None, actor=OFFICER, approval=None, now=world.now)


def test_a_withdrawn_link_has_no_successor(world: World) -> None:
    meeting, _, members = opened(world)
    approval = world.agreed(meeting.id, Need.WITHDRAW, members[0].handle)
    with world.database.write() as session:
        entry = registrar.withdraw(
            session, members[0].handle, cause=Cause.NO_LONGER_MEMBER, actor=OFFICER, approval=approval, now=world.now
        )
    with pytest.raises(PreconditionError):
        world.link(entry)
    with pytest.raises(PreconditionError, match="withdrawn"):
        reissue(world, meeting, members[0])


# --- split trust --------------------------------------------------------------------------------------------------


def registrar_side(world: World, uuid: str, listing: str, key: bytes) -> tuple[bytes, dict[str, str]]:
    """What the membership secretary's own machine does: the list of credentials, and each address's code."""
    rows = list(csv.DictReader(io.StringIO(listing)))
    meeting = "the secretary's own name for it"
    codes = {row["email"]: credentials.derive_code(key, meeting, row["handle"]) for row in rows}
    lines = [f"{row['handle']},{credentials.public(uuid, codes[row['email']])}" for row in rows]
    return "\r\n".join(["handle,credential", *lines, ""]).encode(), codes


def test_in_split_trust_the_service_never_sees_a_code_and_members_vote(world: World) -> None:
    meeting = world.meeting(split_trust=True)
    uuid = world.election(meeting)
    with world.database.read() as session:
        listing = registrar.registrar_list(session, world.config, world.keys, meeting.id, EXPIRES)
        assert ["The file of public halves from the membership secretary is not here yet."] == lifecycle.obstacles(session, uuid, world.now)
    data, codes = registrar_side(world, uuid, listing, bytes(range(32)))
    with world.database.write() as session:
        assert 8 == registrar.receive_credentials(session, uuid, data, SECRETARY, world.now)
    world.open(uuid)
    entry = world.members(meeting)[0]
    link = world.link(entry)
    assert link.code is None
    assert link.url == next(row["link"] for row in csv.DictReader(io.StringIO(listing)) if row["handle"] == entry.handle)
    setup = board.load_setup(world.database, uuid)
    sealed = create_ballot(setup.election, codes[entry.email], [(0, 1, 0), (1, 2, 0, 0)], world.rng).to_bytes()
    assert 1 == board.cast(world.database, world.keys, uuid, link.url.partition("#")[2], sealed, world.now).height
    with pytest.raises(NotInElectorateError):  # the service's own registrar key opens nothing here
        world.cast(uuid, world.members(meeting)[1])


def test_a_wrong_list_of_credentials_is_refused(world: World) -> None:
    meeting = world.meeting(split_trust=True)
    uuid = world.election(meeting)
    with world.database.read() as session:
        listing = registrar.registrar_list(session, world.config, world.keys, meeting.id, EXPIRES)
    good, _ = registrar_side(world, uuid, listing, bytes(range(32)))
    lines = good.decode().split("\r\n")
    point = lines[1].split(",")[1]
    wrong = [
        (b"", MalformedError),
        (b"\xff\xfe\x00", MalformedError),
        (b"handle;credential\r\n", MalformedError),
        ("\r\n".join([*lines[:-1], lines[1]]).encode(), MalformedError),
        ("\r\n".join([*lines[:-2], lines[-2].split(",")[0] + "," + point, ""]).encode(), MalformedError),
        (good.replace(point.encode(), b"01" + b"0" * 62), MalformedError),
        ("\r\n".join([*lines[:-2], ""]).encode(), PreconditionError),
        (good.replace(lines[1].split(",")[0].encode(), b"somebody"), PreconditionError),
    ]
    for data, error in wrong:
        with world.database.write() as session, pytest.raises(error):
            registrar.receive_credentials(session, uuid, data, SECRETARY, world.now)


def test_a_meeting_that_is_not_split_takes_no_list(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    with world.database.write() as session:
        with pytest.raises(PreconditionError):
            registrar.receive_credentials(session, uuid, b"handle,credential\r\n", SECRETARY, world.now)
        with pytest.raises(PreconditionError):
            registrar.registrar_list(session, world.config, world.keys, meeting.id, EXPIRES)
