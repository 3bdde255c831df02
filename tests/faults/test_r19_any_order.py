"""R19: any order of casts, retries, kills in the middle of a cast, restarts, restores from a backup and the close."""

from __future__ import annotations

import io
import os
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import precondition, rule, run_state_machine_as_test

from ballot import failpoints
from ballot.errors import BallotError
from ballot.invariants import History
from ballot.protocol.ballots import tracker
from ballot.services import audit as service
from ballot.services import board, replay
from ballot.services.database import Database
from tests.faults.fault import Fault, Found, Place
from tests.services import test_state_machine as plain

MOMENTS = failpoints.NAMES[:4]  # the fifth belongs to the web
counted = {"crashes": 0, "restores": 0, "runs": 0}


class Harsh(plain.Box):
    """As the plain machine, with kills and restores. After a restore the time in a receipt may be another: the archive has none."""

    def __init__(self) -> None:
        super().__init__()
        self.backup: Path | None = None
        self.restored = False
        counted["runs"] += 1

    @rule(member=st.integers(0, plain.MEMBERS - 1), variant=st.integers(0, 1), moment=st.sampled_from(MOMENTS))
    def crash(self, member: int, variant: int, moment: str) -> None:
        """A process of its own casts, and is killed at this moment, if it comes to it."""
        token, ballot = self.jobs[member][variant]
        armed = self.path.parent / "armed"
        armed.mkdir(exist_ok=True)
        (armed / moment).touch()
        self.world.database.dispose()
        child = os.fork()
        if child == 0:
            failpoints.arm({"BALLOT_FAILPOINTS": str(armed)}, development=True)
            try:
                board.cast(Database(f"sqlite:///{self.path}"), self.world.keys, self.uuid, token, ballot, self.world.now)
            except BallotError:
                pass
            finally:
                os._exit(0)
        _, status = os.waitpid(child, 0)
        killed = os.WIFSIGNALED(status)
        (armed / moment).unlink(missing_ok=True)
        counted["crashes"] += killed
        self.world.database = Database(f"sqlite:///{self.path}")
        if killed and moment == "after-commit":  # it is in the box, and nobody was told: asking again tells
            receipt = self.attempt(token, ballot)
            assert isinstance(receipt, plain.Receipt)
            self.accepted[member] = (variant, receipt)
        self.world.clock.advance(seconds=1)

    @rule()
    def back_up(self) -> None:
        self.backup = self.path.with_name("backup.sqlite3")
        self.backup.unlink(missing_ok=True)
        with closing(sqlite3.connect(self.path)) as connection:
            connection.execute("VACUUM INTO ?", (str(self.backup),))

    @precondition(lambda self: self.backup is not None and not self.closed)
    @rule()
    def restore(self) -> None:
        """The database is lost; the backup comes back, and then the archive that was published since."""
        archive = b"".join(board.stream_archive(self.world.database, self.uuid)[1])
        self.world.database.dispose()
        for left in self.path.parent.glob("box.sqlite3*"):
            left.unlink()
        assert self.backup is not None
        shutil.copyfile(self.backup, self.path)
        self.world.database = Database(f"sqlite:///{self.path}")
        replay.replay_archive(self.world.database, io.BytesIO(archive), self.world.now, self.world.now)
        counted["restores"] += 1
        for member, (variant, receipt) in self.accepted.items():
            token, ballot = self.jobs[member][variant]
            again = self.attempt(token, ballot)
            assert isinstance(again, plain.Receipt)
            assert (receipt.ballot, receipt.height, receipt.head) == (again.ballot, again.height, again.head)
            self.accepted[member] = (variant, again)

    def teardown(self) -> None:
        history = History(tuple(receipt for _, receipt in self.accepted.values()))
        found = service.audit(self.world.database, self.world.keys, history, skip=frozenset({"I6"}))
        assert () == found.violations
        for variant, receipt in self.accepted.values():
            assert receipt.ballot in {tracker(ballot) for member in self.jobs for _, ballot in [member[variant]]}
        super().teardown()


def run(rounds: int, here: Place) -> Found:
    found = Found()
    counted.update(crashes=0, restores=0, runs=0)
    how = settings(
        max_examples=rounds,
        stateful_step_count=20,
        deadline=None,
        database=None,
        derandomize=False,
        print_blob=True,
        suppress_health_check=list(HealthCheck),
    )
    try:
        run_state_machine_as_test(Harsh, settings=how)
    except AssertionError as error:
        found.violations.append(f"a sequence breaks the model: {error!s:.800}")
    found.rounds = counted["runs"]
    found.figures |= {"crashes": counted["crashes"], "restores": counted["restores"]}
    return found


FAULT = Fault(
    "R19",
    "any order of casts, retries, kills, restarts, restores and the close, against a model set of receipts",
    "0 violations",
    10_000,
    12,
    run,
    ("sqlite",),
)


@pytest.mark.slow
def test_any_order_keeps_every_receipt(here: Place) -> None:
    FAULT.check(here)
