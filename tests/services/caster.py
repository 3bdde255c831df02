"""Casts prepared ballots one after another and prints each receipt: the process that test_crash.py kills.

Arguments: database URL, election uuid, moment of casting, file with one JSON [token, ballot] a line, number of lines to skip.
"""

from __future__ import annotations

import json
import sys
from datetime import datetime
from pathlib import Path

from ballot.services import board
from ballot.services.database import Database
from ballot.services.keys import Keys


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


url, uuid, now, path, skip = sys.argv[1:]
database, keys = Database(url), Keys.from_seed(b"tests")
board.load_setup(database, uuid)
say("ready")
for line in Path(path).read_text(encoding="utf-8").splitlines()[int(skip) :]:
    token, ballot = json.loads(line)
    receipt = board.cast(database, keys, uuid, token, ballot.encode(), datetime.fromisoformat(now))
    say(receipt.to_bytes().decode())
database.dispose()
