"""One small organisation on a real database, and every step from its roll to a published result, for tests to bend in one place."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from ballot.config import Config
from ballot.models import Election, Meeting, RollEntry
from ballot.protocol import trustees as ceremony
from ballot.protocol.ballots import create_ballot
from ballot.protocol.companion import gen_companion
from ballot.protocol.decryption import gen_partial_decryption
from ballot.protocol.group import SeededRng
from ballot.protocol.messages import Polynomial, QuestionH, QuestionNH, SignedMsg, Vinput
from ballot.protocol.proofs import prove_exponent
from ballot.protocol.receipts import Receipt
from ballot.protocol.shuffle import shuffle_tally
from ballot.services import approvals, board, lifecycle, registrar, roll, tally, tokens, trustees
from ballot.services.approvals import Need
from ballot.services.clock import FixedClock
from ballot.services.database import Database
from ballot.services.journal import Actor
from ballot.services.keys import Keys

NOW = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
OPENS = NOW + timedelta(days=1)
CLOSES = NOW + timedelta(days=8)
OFFICER = Actor("f00d", "returning-officer")
SECOND = Actor("beef", "deputy")
SECRETARY = Actor("cafe", "membership-secretary")
NO_PRACTICE = "The same questions were asked last month."

MOTION = QuestionH(answers=("For", "Against"), min=1, max=1, question="Motion 1: affiliate", blank=True)
COMMITTEE = QuestionNH(answers=("Ada", "Ben", "Cal", "Re-open nominations"), question="Committee")


def roll_csv(members: int = 8) -> bytes:
    """So many full members, and one line for each reason of being left out."""
    out = io.StringIO()
    rows = csv.writer(out)
    rows.writerow(["Name", "Email", "Membership type", "Status", "Joined", "Region", "Rate", "Groups"])
    for i in range(members):
        region = "North" if i % 2 else "South"
        groups = "women; young" if i % 3 == 0 else ""
        rows.writerow([f"Member {i}", f"member{i}@example.org", "Full member", "Active", "2020-01-01", region, "basic", groups])
    rows.writerow(["Sue Porter", "sue@example.org", "Supporter", "Active", "2020-01-01", "North", "solidarity", ""])
    rows.writerow(["Lee Past", "lee@example.org", "Full member", "Lapsed", "2020-01-01", "North", "free", ""])
    rows.writerow(["Nat New", "nat@example.org", "Full member", "Active", "2026-03-01", "North", "free", ""])
    rows.writerow(["Member Zero", "MEMBER0+agm@example.org", "Full member", "Active", "2020-01-01", "North", "free", ""])
    return out.getvalue().encode()


@dataclass
class World:
    """The parts, and the steps. `rng` is seeded, so that a failing test fails again."""

    database: Database
    keys: Keys = field(default_factory=lambda: Keys.from_seed(b"tests"))
    clock: FixedClock = field(default_factory=lambda: FixedClock(NOW))
    rng: SeededRng = field(default_factory=lambda: SeededRng(b"world"))
    secrets: dict[tuple[str, int], int] = field(default_factory=dict)
    config: Config = field(
        default_factory=lambda: Config.from_environ({"BALLOT_DEVELOPMENT": "1", "BALLOT_PUBLIC_URL": "https://vote.example.org"})
    )

    @property
    def now(self) -> datetime:
        return self.clock.now()

    def meeting(self, *, two_people: bool = True, split_trust: bool = False, members: int = 8) -> Meeting:
        """A meeting with a frozen roll."""
        with self.database.write() as session:
            meeting = lifecycle.make_meeting(session, "AGM 2026", OFFICER, self.now, two_people=two_people, split_trust=split_trust)
            roll.load(session, meeting.id, roll.preview(roll_csv(members), date(2026, 1, 31)), SECRETARY, self.now)
        with self.database.write() as session:
            roll.freeze(session, meeting.id, SECRETARY, self.now)
        return meeting

    def members(self, meeting: Meeting) -> list[RollEntry]:
        """By address, so that the order does not depend on the random handles."""
        with self.database.read() as session:
            return sorted(roll.members(session, meeting.id), key=lambda entry: entry.email)

    def draft(self, questions: Sequence[QuestionH | QuestionNH] = (MOTION, COMMITTEE), **changes: object) -> lifecycle.ElectionDraft:
        return lifecycle.ElectionDraft("Motions and committee", questions, OPENS, CLOSES, **changes)  # type: ignore[arg-type]

    def election(self, meeting: Meeting, *, people: int = 3, threshold: int = 2, **changes: object) -> str:
        """The uuid of a draft whose key-holders are ready."""
        with self.database.write() as session:
            uuid = lifecycle.make_election(session, meeting.id, self.draft(**changes), OFFICER, self.now).uuid  # type: ignore[arg-type]
            if people:
                holders = [trustees.Person(f"Holder {i}", f"holder{i}@example.org") for i in range(1, people + 1)]
                trustees.name_trustees(session, uuid, holders, threshold, OFFICER, self.now)
        if people > 1:
            self.ceremony(uuid, people, threshold)
        return uuid

    def ceremony(self, uuid: str, people: int, threshold: int) -> None:
        """The whole key ceremony of a group, message by message, as the key-holders' programs do it."""
        pki = [ceremony.PkiKeys.from_seed(ceremony.gen_seed(self.rng)) for _ in range(people)]
        numbers = range(1, people + 1)

        def view(n: int) -> dict[str, object]:
            with self.database.read() as session:
                return trustees.view(session, self.keys, uuid, n, self.now)

        for n, own in zip(numbers, pki, strict=True):
            assert "cert" == view(n)["stage"]
            certificate = ceremony.make_certificate(own, index=n, threshold=threshold, size=people, rng=self.rng)
            with self.database.write() as session:
                trustees.receive_cert(session, uuid, n, certificate.to_bytes(), self.now)
        for n, own in zip(numbers, pki, strict=True):
            certs = [SignedMsg.parse(text.encode()) for text in view(n)["certificates"]]  # type: ignore[attr-defined]
            polynomial: Polynomial = ceremony.make_polynomial(own, certs, self.rng)
            with self.database.write() as session:
                trustees.receive_polynomial(session, uuid, n, polynomial.to_bytes(), self.now)
        for n, own in zip(numbers, pki, strict=True):
            vinput = Vinput.parse(str(view(n)["vinput"]).encode())
            voutput = ceremony.make_voutput(own, certs, vinput, self.rng)
            with self.database.write() as session:
                trustees.receive_voutput(session, uuid, n, voutput.to_bytes(), self.now)
            self.secrets[uuid, n] = ceremony.open_decryption_key(own, voutput.private_key)
            nonce = str(view(n)["nonce"])
            proof = prove_exponent(trustees.possession_statement(uuid, n, nonce), self.secrets[uuid, n], self.rng)
            with self.database.write() as session:
                trustees.receive_possession(session, self.keys, uuid, n, nonce, proof.to_bytes(), self.now)
            assert "ready" == view(n)["stage"]

    def agreed(self, meeting_id: str, need: Need, subject: str, wording: str = "") -> str:
        """The approval of a second person."""
        with self.database.write() as session:
            approval = approvals.ask(session, meeting_id, need, subject, wording, OFFICER, self.now).id
        with self.database.write() as session:
            approvals.give(session, approval, SECOND, self.now)
        return approval

    def lock(self, uuid: str) -> Election:
        with self.database.read() as session:
            election = lifecycle.election_of(session, uuid)
        approval = None if election.practice else self.agreed(election.meeting_id, Need.LOCK, uuid)
        return lifecycle.lock(self.database, self.keys, uuid, OFFICER, self.now, approval=approval)

    def open_voting(self, uuid: str) -> None:
        """Opened without a practice, for a reason, with a second person's agreement where that is needed."""
        with self.database.read() as session:
            election = lifecycle.election_of(session, uuid)
        approval = None if election.practice else self.agreed(election.meeting_id, Need.OPEN, uuid, NO_PRACTICE)
        with self.database.write() as session:
            lifecycle.open_voting(session, uuid, OFFICER, self.now, reason=NO_PRACTICE, approval=approval)

    def open(self, uuid: str) -> None:
        """Locked, opened, and the hour has come."""
        self.lock(uuid)
        self.open_voting(uuid)
        self.clock.moment = OPENS + timedelta(hours=1)

    def link(self, entry: RollEntry) -> registrar.Link:
        with self.database.read() as session:
            return registrar.voting_link(session, self.config, self.keys, entry, CLOSES + timedelta(days=30))

    def token(self, entry: RollEntry) -> str:
        return tokens.make_voting_token(self.keys, entry, CLOSES + timedelta(days=30))

    def ballot(self, uuid: str, entry: RollEntry, choices: Sequence[Sequence[int]] = ((0, 1, 0), (1, 2, 0, 0))) -> bytes:
        """A sealed ballot of this member, as the booth makes it from the mailed code."""
        setup = board.load_setup(self.database, uuid)
        return create_ballot(setup.election, registrar.voting_code(self.keys, entry), choices, self.rng).to_bytes()

    def cast(self, uuid: str, entry: RollEntry, choices: Sequence[Sequence[int]] = ((0, 1, 0), (1, 2, 0, 0))) -> Receipt:
        return board.cast(self.database, self.keys, uuid, self.token(entry), self.ballot(uuid, entry, choices), self.now)

    def close(self, uuid: str) -> None:
        self.clock.moment = CLOSES
        lifecycle.close(self.database, uuid, OFFICER, self.now)

    def shuffle(self, uuid: str, owner: int) -> bytes:
        setup = board.load_setup(self.database, uuid)
        return shuffle_tally(setup.election, tally.current_tally(self.database, uuid), self.rng).to_bytes()

    def share(self, uuid: str, owner: int) -> tuple[bytes, bytes]:
        """A partial decryption and its companion proofs."""
        setup, sealed, secret = board.load_setup(self.database, uuid), tally.current_tally(self.database, uuid), self.secrets[uuid, owner]
        partial = gen_partial_decryption(setup.election.fingerprint, sealed, secret, self.rng)
        return partial.to_bytes(), gen_companion(setup.election, sealed, secret, partial, self.rng, owner=owner).to_bytes()

    def tally(self, uuid: str, owners: Sequence[int] = (1, 3)) -> None:
        """Begun, shuffled and opened by these key-holders, and published."""
        tally.begin(self.database, uuid, OFFICER, self.now)
        if tally.steps(self.database, uuid).ranked:
            for owner in owners:
                tally.accept_shuffle(self.database, uuid, owner, self.shuffle(uuid, owner), self.now)
        for owner in owners:
            tally.accept_decryption(self.database, uuid, owner, *self.share(uuid, owner), self.now)
        self.publish(uuid)

    def publish(self, uuid: str) -> None:
        """Published, with a second person's agreement where that is needed."""
        with self.database.read() as session:
            meeting = lifecycle.election_of(session, uuid).meeting_id
        approval = self.agreed(meeting, Need.PUBLISH, uuid)
        tally.publish(self.database, uuid, OFFICER, self.now, approval=approval)
