"""`kill -9` in the middle of casting: what was acknowledged is on the board, once; what was not is there at most once."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ballot.protocol.ballots import tracker
from ballot.protocol.receipts import Receipt, check_receipt
from ballot.services import board
from tests.services.world import MOTION, World
from tests.support.need import ROOT

KILLS = 8


@pytest.mark.slow
def test_a_killed_worker_loses_no_receipt_and_makes_no_second_ballot(world: World, tmp_path: Path) -> None:
    meeting = world.meeting(two_people=False, members=120)
    uuid = world.election(meeting, questions=[MOTION])
    world.open(uuid)
    jobs = [(world.token(entry), world.ballot(uuid, entry, [(0, 1, 0)]).decode()) for entry in world.members(meeting)]
    path = tmp_path / "ballots.jsonl"
    path.write_text("\n".join(json.dumps(job) for job in jobs), encoding="utf-8")
    url = world.database.engine.url.render_as_string(hide_password=False)

    luck = random.Random(2026)
    receipts: list[Receipt] = []
    for attempt in range(KILLS + 1):
        caster = str(Path(__file__).with_name("caster.py"))
        command = [sys.executable, caster, url, uuid, world.now.isoformat(), str(path), str(len(receipts))]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True, env={"PYTHONPATH": str(ROOT)}) as process:
            assert process.stdout is not None
            assert "ready\n" == process.stdout.readline()
            if attempt < KILLS:
                time.sleep(luck.uniform(0.005, 0.1))
                process.kill()
            lines = process.stdout.read().split("\n")
        receipts += [Receipt.parse(line.encode()) for line in lines[:-1]]
        board.check_storage(world.database, uuid)

    assert [tracker(ballot.encode()) for _, ballot in jobs] == [receipt.ballot for receipt in receipts]
    for receipt in receipts:
        check_receipt(world.keys.receipt_public, receipt)
    with world.database.read() as session:
        on_board = board.ballots_on_board(session, uuid)
    assert [(line.height, line.tracker) for line in on_board] == [(receipt.height, receipt.ballot) for receipt in receipts]
    assert len(jobs) == len(on_board)
    world.close(uuid)
    world.tally(uuid)
