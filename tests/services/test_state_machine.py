"""Any order of casts, retries, second thoughts, restarts and the close, against a model that knows every receipt."""

from __future__ import annotations

import atexit
import functools
import shutil
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from ballot.errors import AlreadyVotedError, PreconditionError, VotingClosedError
from ballot.models import RollEntry
from ballot.protocol.receipts import Receipt, check_receipt
from ballot.services import board, lifecycle
from ballot.services.database import Database
from tests.services.world import CLOSES, MOTION, OFFICER, World

MEMBERS = 5
Jobs = list[list[tuple[str, bytes]]]


@functools.cache
def template() -> tuple[Path, str, Jobs]:
    """The file of an open election, and two sealed ballots of each member with the token; made once."""
    folder = Path(tempfile.mkdtemp(prefix="ballot-machine-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    world = World(Database(f"sqlite:///{folder / 'template.sqlite3'}"))
    world.database.migrate()
    meeting = world.meeting(two_people=False, members=MEMBERS)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)

    def two(entry: RollEntry) -> list[tuple[str, bytes]]:
        return [(world.token(entry), world.ballot(uuid, entry, [choice])) for choice in ((0, 1, 0), (0, 0, 1))]

    jobs = [two(entry) for entry in world.members(meeting)]
    world.database.overwrite_deleted()
    world.database.dispose()
    return folder, uuid, jobs


class Box(RuleBasedStateMachine):
    """The model: each member's accepted ballot with its receipt, in order; and whether the box is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.folder, self.uuid, self.jobs = template()
        self.path = Path(tempfile.mkdtemp(dir=self.folder)) / "box.sqlite3"
        shutil.copyfile(self.folder / "template.sqlite3", self.path)
        self.world = World(Database(f"sqlite:///{self.path}"))
        self.world.clock.moment = CLOSES.replace(hour=0)
        self.accepted: dict[int, tuple[int, Receipt]] = {}
        self.closed = False

    def teardown(self) -> None:
        self.world.database.dispose()
        shutil.rmtree(self.path.parent)

    @rule(member=st.integers(0, MEMBERS - 1), variant=st.integers(0, 1))
    def cast(self, member: int, variant: int) -> None:
        token, ballot = self.jobs[member][variant]
        known = self.accepted.get(member)
        answer = self.attempt(token, ballot)
        if known is not None and known[0] != variant:
            assert isinstance(answer, AlreadyVotedError)
            assert known[1] == answer.receipt
        elif known is not None:
            assert known[1] == answer
        elif self.closed:
            assert isinstance(answer, VotingClosedError)
        else:
            assert isinstance(answer, Receipt)
            check_receipt(self.world.keys.receipt_public, answer)
            self.accepted[member] = (variant, answer)
        self.world.clock.advance(seconds=1)

    def attempt(self, token: str, ballot: bytes) -> Receipt | AlreadyVotedError | VotingClosedError:
        try:
            return board.cast(self.world.database, self.world.keys, self.uuid, token, ballot, self.world.now)
        except (AlreadyVotedError, VotingClosedError) as error:
            return error

    @rule()
    def restart(self) -> None:
        self.world.database.dispose()
        self.world.database = Database(f"sqlite:///{self.path}")

    @precondition(lambda self: not self.closed)
    @rule()
    def close(self) -> None:
        lifecycle.close(self.world.database, self.uuid, OFFICER, CLOSES)
        self.closed = True

    @precondition(lambda self: self.closed)
    @rule()
    def close_again(self) -> None:
        with pytest.raises(PreconditionError):
            lifecycle.close(self.world.database, self.uuid, OFFICER, CLOSES)

    @invariant()
    def the_board_is_what_the_receipts_say(self) -> None:
        assert len(self.accepted) + self.closed == board.check_storage(self.world.database, self.uuid)
        with self.world.database.read() as session:
            lines = board.ballots_on_board(session, self.uuid)
        receipts = sorted(receipt.height for _, receipt in self.accepted.values())
        assert receipts == [line.height for line in lines]
        assert {receipt.ballot for _, receipt in self.accepted.values()} == {line.tracker for line in lines}


Box.TestCase.settings = settings(max_examples=25, stateful_step_count=20, deadline=None, suppress_health_check=list(HealthCheck))
TestAnyOrder = Box.TestCase
