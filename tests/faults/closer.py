"""An officer's (or the clock's) hand on the close, as a process of its own.

Argument: database URL. Each line of standard input is a JSON object: election, actor (`officer` or `clock`), at (seconds since
1970), now (the moment to close with, ISO). Answers one line: `closed`, or the class of the refusal.
"""

from __future__ import annotations

import json
import sys
import time
from datetime import datetime

from ballot.errors import BallotError
from ballot.services import lifecycle
from ballot.services.database import Database
from ballot.services.journal import CLOCK
from tests.services.world import OFFICER

database = Database(sys.argv[1])
with database.read_connection():
    pass
sys.stdout.write("ready\n")
sys.stdout.flush()
for line in sys.stdin:
    order = json.loads(line)
    time.sleep(max(0.0, order["at"] - time.time()))
    actor, reason = (CLOCK, "") if order["actor"] == "clock" else (OFFICER, "a test closes")
    try:
        lifecycle.close(database, order["election"], actor, datetime.fromisoformat(order["now"]), reason=reason)
        answer = "closed"
    except BallotError as error:
        answer = type(error).__name__
    sys.stdout.write(answer + "\n")
    sys.stdout.flush()
database.dispose()
