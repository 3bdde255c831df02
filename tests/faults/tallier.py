"""An officer's step of the count as a process of its own: `begin` or `publish`.

Arguments: database URL, election, step, approval of a second person (or nothing). Prints `done`, or the class of the refusal.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from ballot.errors import BallotError
from ballot.services import tally
from ballot.services.database import Database
from tests.services.world import OFFICER

url, uuid, step, approval = sys.argv[1:]
database = Database(url)
try:
    if step == "begin":
        tally.begin(database, uuid, OFFICER, datetime.now(UTC))
    else:
        tally.publish(database, uuid, OFFICER, datetime.now(UTC), approval=approval or None)
    answer = "done"
except BallotError as error:
    answer = type(error).__name__
sys.stdout.write(answer + "\n")
sys.stdout.flush()
database.dispose()
