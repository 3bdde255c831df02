"""The key ceremony: each message at its time, from its sender, once; and no lock before every key was proven to be safe."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from ballot.errors import (
    InvalidProofError,
    InvalidTrusteeError,
    MalformedError,
    NotFoundError,
    PreconditionError,
    TokenInvalidError,
)
from ballot.models import Election, Trustee
from ballot.protocol import trustees as ceremony
from ballot.protocol.group import G
from ballot.protocol.messages import Proof, SignedMsg, Vinput
from ballot.protocol.proofs import prove_exponent
from ballot.services import board, lifecycle, tally, tokens, trustees
from ballot.services.trustees import Person, Stage
from tests.services.world import MOTION, NOW, OFFICER, World

PEOPLE = [Person("Ada", "ada@example.org"), Person("Ben", "ben@example.org"), Person("Cal", "cal@example.org")]


@pytest.fixture
def named(world: World) -> tuple[World, str]:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting, people=0)
    with world.database.write() as session:
        trustees.name_trustees(session, uuid, PEOPLE, 2, OFFICER, world.now)
    return world, uuid


def view(world: World, uuid: str, number: int) -> dict[str, Any]:
    with world.database.read() as session:
        return trustees.view(session, world.keys, uuid, number, world.now)


def certificate(world: World, number: int, *, size: int = 3, threshold: int = 2) -> tuple[ceremony.PkiKeys, SignedMsg]:
    own = ceremony.PkiKeys.from_seed(ceremony.gen_seed(world.rng))
    return own, ceremony.make_certificate(own, index=number, threshold=threshold, size=size, rng=world.rng)


@pytest.mark.parametrize(("size", "threshold"), [(0, 1), (1, 1), (2, 2), (2, 1), (3, 1), (3, 3), (5, 0)])
def test_a_group_in_which_one_could_open_or_one_loss_loses_all_is_refused(world: World, size: int, threshold: int) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, people=0)
    people = [Person(f"P{i}", f"p{i}@example.org") for i in range(size)]
    with world.database.write() as session, pytest.raises(PreconditionError):
        trustees.name_trustees(session, uuid, people, threshold, OFFICER, world.now)


def test_two_key_holders_are_two_people(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, people=0)
    for last in (Person("ADA", "x@example.org"), Person("Cal", "ADA@example.org"), Person("", "x@example.org"), Person("Cal", "x")):
        with world.database.write() as session, pytest.raises(MalformedError):
            trustees.name_trustees(session, uuid, [*PEOPLE[:2], last], 2, OFFICER, world.now)


def test_the_page_advances_by_itself_and_names_who_is_waited_for(named: tuple[World, str]) -> None:
    world, uuid = named
    first = view(world, uuid, 1)
    assert (Stage.CERTIFICATE, "threshold", 3, 2, ["Ada", "Ben", "Cal"]) == (
        first["stage"], first["kind"], first["size"], first["threshold"], first["waiting_for"],
    )  # fmt: skip
    with world.database.write() as session:
        trustees.receive_cert(session, uuid, 1, certificate(world, 1)[1].to_bytes(), world.now)
    after = view(world, uuid, 1)
    assert (Stage.WAITING, ["Ben", "Cal"]) == (after["stage"], after["waiting_for"])
    assert "certificates" not in after


def test_messages_out_of_turn_are_refused(named: tuple[World, str]) -> None:
    world, uuid = named
    with world.database.write() as session:
        with pytest.raises(PreconditionError):
            trustees.receive_polynomial(session, uuid, 1, b"{}", world.now)
        with pytest.raises(PreconditionError):
            trustees.receive_voutput(session, uuid, 1, b"{}", world.now)
        with pytest.raises(PreconditionError):
            trustees.receive_key(session, uuid, 1, b"{}", world.now)
        with pytest.raises(PreconditionError):
            trustees.receive_possession(session, world.keys, uuid, 1, "", b"{}", world.now)
        with pytest.raises(NotFoundError):
            trustees.receive_cert(session, uuid, 4, b"{}", world.now)
        with pytest.raises(NotFoundError):
            trustees.receive_cert(session, "1" * 14, 1, b"{}", world.now)


def test_a_certificate_is_taken_once_for_its_place(named: tuple[World, str]) -> None:
    world, uuid = named
    _, good = certificate(world, 1)
    with world.database.write() as session:
        for wrong in (certificate(world, 2)[1], certificate(world, 1, size=4)[1], certificate(world, 1, threshold=3)[1]):
            with pytest.raises(InvalidTrusteeError):
                trustees.receive_cert(session, uuid, 1, wrong.to_bytes(), world.now)
        with pytest.raises(InvalidTrusteeError):
            trustees.receive_cert(session, uuid, 1, replace(good, signature=Proof(1, 1)).to_bytes(), world.now)
        with pytest.raises(MalformedError):
            trustees.receive_cert(session, uuid, 1, b"{", world.now)
        trustees.receive_cert(session, uuid, 1, good.to_bytes(), world.now)
        trustees.receive_cert(session, uuid, 1, good.to_bytes(), world.now)  # sent again after a lost connection
        with pytest.raises(PreconditionError, match="already"):
            trustees.receive_cert(session, uuid, 1, certificate(world, 1)[1].to_bytes(), world.now)


def test_a_certificate_that_copies_anothers_keys_is_refused(named: tuple[World, str]) -> None:
    world, uuid = named
    own, first = certificate(world, 1)
    third = certificate(world, 3)[1]
    copied = ceremony.make_certificate(own, index=2, threshold=2, size=3, rng=world.rng)
    with world.database.write() as session:
        trustees.receive_cert(session, uuid, 1, first.to_bytes(), world.now)
        trustees.receive_cert(session, uuid, 3, third.to_bytes(), world.now)
        with pytest.raises(InvalidTrusteeError) as caught:
            trustees.receive_cert(session, uuid, 2, copied.to_bytes(), world.now)
    assert "trustee 2" == caught.value.blame


def test_a_wrong_voutput_or_polynomial_is_refused(named: tuple[World, str]) -> None:
    world, uuid = named
    pairs = [certificate(world, n) for n in (1, 2, 3)]
    certs = [cert for _, cert in pairs]
    with world.database.write() as session:
        for n, cert in enumerate(certs, 1):
            trustees.receive_cert(session, uuid, n, cert.to_bytes(), world.now)
        polynomials = [ceremony.make_polynomial(own, certs, world.rng) for own, _ in pairs]
        with pytest.raises(InvalidTrusteeError):
            trustees.receive_polynomial(session, uuid, 1, polynomials[1].to_bytes(), world.now)
        for n, polynomial in enumerate(polynomials, 1):
            trustees.receive_polynomial(session, uuid, n, polynomial.to_bytes(), world.now)
        vinputs = [Vinput.parse(trustees.view(session, world.keys, uuid, n, world.now)["vinput"].encode()) for n in (1, 2, 3)]
        voutputs = [ceremony.make_voutput(own, certs, vinput, world.rng) for (own, _), vinput in zip(pairs, vinputs, strict=True)]
        with pytest.raises(InvalidTrusteeError):
            trustees.receive_voutput(session, uuid, 1, voutputs[1].to_bytes(), world.now)
        trustees.receive_voutput(session, uuid, 1, voutputs[0].to_bytes(), world.now)


def test_possession_is_proven_with_the_right_key_and_a_fresh_nonce(world: World) -> None:
    meeting = world.meeting(two_people=False)
    uuid = world.election(meeting)
    with world.database.write() as session:
        row = session.get_one(Trustee, (uuid, 2))
        row.possession_at = None
        session.add(row)
    with pytest.raises(PreconditionError, match="Waiting for Holder 2"):
        world.lock(uuid)
    fresh = view(world, uuid, 2)["nonce"]
    of_another = view(world, uuid, 1)["nonce"]

    def prove(nonce: str, secret: int, number: int = 2) -> None:
        proof = prove_exponent(trustees.possession_statement(uuid, number, nonce), secret, world.rng)
        with world.database.write() as session:
            trustees.receive_possession(session, world.keys, uuid, 2, nonce, proof.to_bytes(), world.now)

    for nonce, secret, number in (
        (fresh, world.secrets[uuid, 1], 2),
        (of_another, world.secrets[uuid, 2], 2),
        (fresh, world.secrets[uuid, 2], 1),
        ("made up", world.secrets[uuid, 2], 2),
        ("x" * 1000, world.secrets[uuid, 2], 2),
    ):
        with pytest.raises(InvalidProofError):
            prove(nonce, secret, number)
    world.clock.advance(hours=1)
    with pytest.raises(InvalidProofError, match="too old"):
        prove(fresh, world.secrets[uuid, 2])
    prove(view(world, uuid, 2)["nonce"], world.secrets[uuid, 2])
    world.lock(uuid)
    world.clock.advance(hours=1)
    prove(view(world, uuid, 2)["nonce"], world.secrets[uuid, 2])  # asked again before the close


def test_naming_people_again_starts_the_ceremony_again_and_kills_older_links(named: tuple[World, str]) -> None:
    world, uuid = named
    with world.database.write() as session:
        trustees.receive_cert(session, uuid, 1, certificate(world, 1)[1].to_bytes(), world.now)
        old = tokens.make_trustee_token(world.keys, session.get_one(Trustee, (uuid, 1)))
        assert 1 == tokens.trustee_of(session, world.keys, old, uuid, 1).number
    with world.database.write() as session:
        trustees.name_trustees(session, uuid, PEOPLE, 2, OFFICER, world.now)
    with world.database.read() as session:
        assert session.get_one(Trustee, (uuid, 1)).cert is None
        with pytest.raises(TokenInvalidError):
            tokens.trustee_of(session, world.keys, old, uuid, 1)


def test_a_trustees_token_is_for_one_election_and_one_number(named: tuple[World, str]) -> None:
    world, uuid = named
    with world.database.write() as session:
        ada = session.get_one(Trustee, (uuid, 1))
        token = tokens.make_trustee_token(world.keys, ada)
        for text, election, number in ((token, uuid, 2), (token, "1" * 14, 1), (token[:-1], uuid, 1), ("", uuid, 1)):
            with pytest.raises(TokenInvalidError):
                tokens.trustee_of(session, world.keys, text, election, number)
        renewed = trustees.renew_link(session, uuid, 1, OFFICER, world.now)
        with pytest.raises(TokenInvalidError):
            tokens.trustee_of(session, world.keys, token, uuid, 1)
        assert ada is tokens.trustee_of(session, world.keys, tokens.make_trustee_token(world.keys, renewed), uuid, 1)


@pytest.mark.parametrize(
    ("kind", "voters"), [({"practice": True, "minimum_ballots": 1}, 1), ({"advisory": True}, 5)], ids=["practice", "advisory"]
)
def test_a_practice_or_advisory_election_may_have_one_named_key_holder(world: World, kind: dict[str, Any], voters: int) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, questions=[MOTION], people=1, threshold=1, **kind)
    secret = 987654321
    key = ceremony.make_public_key(secret, world.rng)
    assert ("key", "single") == ((first := view(world, uuid, 1))["stage"], first["kind"])
    with world.database.write() as session:
        with pytest.raises(PreconditionError):
            trustees.receive_cert(session, uuid, 1, b"{}", world.now)
        with pytest.raises(InvalidTrusteeError):
            trustees.receive_key(session, uuid, 1, replace(key, public_key=G**2).to_bytes(), world.now)
        trustees.receive_key(session, uuid, 1, key.to_bytes(), world.now)
    nonce = view(world, uuid, 1)["nonce"]
    proof = prove_exponent(trustees.possession_statement(uuid, 1, nonce), secret, world.rng)
    with world.database.write() as session:
        trustees.receive_possession(session, world.keys, uuid, 1, nonce, proof.to_bytes(), world.now)
    world.secrets[uuid, 1] = secret
    world.open(uuid)
    declared = board.load_setup(world.database, uuid).declarations
    assert declared is not None
    assert kind.get("advisory") is declared.advisory
    for member in world.members(meeting)[:voters]:
        world.cast(uuid, member, [(0, 1, 0)])
    world.close(uuid)
    world.tally(uuid, owners=[1])
    assert (voters, 0) == tally.outcome(world.database, uuid).questions[0].totals


def test_switching_practice_off_drops_a_single_key(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, people=1, threshold=1, practice=True)
    with world.database.write() as session:
        lifecycle.change_election(session, uuid, world.draft(), OFFICER, world.now)
    with world.database.read() as session:
        assert [] == trustees.trustees_of(session, uuid)
        assert ["Name the key-holders first."] == lifecycle.obstacles(session, uuid, NOW)


def test_a_consultation_may_have_a_single_key_holder_and_a_binding_ballot_may_not(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting, people=0, advisory=True)
    one = [trustees.Person("Only One", "one@example.org")]
    with world.database.write() as session:
        assert "Name the key-holders first." == trustees.unready(session, session.get_one(Election, uuid))
        trustees.name_trustees(session, uuid, one, 1, OFFICER, world.now)
    with world.database.read() as session:
        assert "Waiting for Only One" in trustees.unready(session, session.get_one(Election, uuid))
    with world.database.write() as session:  # it binds now, so its single key is gone
        draft = lifecycle.draft_of(session.get_one(Election, uuid))
        lifecycle.change_election(session, uuid, replace(draft, advisory=False), OFFICER, world.now)
        assert [] == trustees.trustees_of(session, uuid)
    with world.database.write() as session, pytest.raises(PreconditionError, match="at least 3"):
        trustees.name_trustees(session, uuid, one, 1, OFFICER, world.now)


def test_who_is_free_for_the_count_is_asked_again_when_its_time_changes(world: World) -> None:
    meeting = world.meeting()
    uuid = world.election(meeting)
    with world.database.write() as session, pytest.raises(PreconditionError, match="time of the count"):
        trustees.say_who_is_free(session, uuid, [1], OFFICER)
    for hours, free in ((3, [1, 2]), (3, [1, 2]), (4, None)):
        with world.database.write() as session:
            draft = lifecycle.draft_of(session.get_one(Election, uuid))
            counts = draft.closes_at + timedelta(hours=hours)
            lifecycle.change_election(session, uuid, replace(draft, counts_at=counts), OFFICER, world.now)
            if session.get_one(Election, uuid).config["free"] is None and free is not None:
                trustees.say_who_is_free(session, uuid, [2, 1, 2], OFFICER)
        with world.database.read() as session:
            election = session.get_one(Election, uuid)
            assert (free, counts) == (election.config["free"], lifecycle.draft_of(election).counts_at)
    with world.database.write() as session, pytest.raises(PreconditionError, match="no such key-holder"):
        trustees.say_who_is_free(session, uuid, [9], OFFICER)
