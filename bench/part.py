"""One part of a count as a command: `python -m bench.part shuffle|decrypt FILE OWNER KEY`, or `count FILE`.

Reads the archive, does the work, prints the message, as the peer's command does. (`ballot trustee` checks the whole archive
first; what that costs is the line about `ballot verify`.)
"""

from __future__ import annotations

import json
import os
import sys
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

from ballot.errors import MalformedError
from ballot.protocol.archive import Header, read_archive
from ballot.protocol.declarations import Declarations
from ballot.protocol.decryption import gen_partial_decryption
from ballot.protocol.group import SystemRng
from ballot.protocol.messages import Election, EncryptedTally, Event, Owned, Result, SetupData, Shuffle, SizedEncryptedTally
from ballot.protocol.shuffle import shuffle_tally
from ballot.protocol.tally import merge_nh_ciphertexts
from ballot.recount import count_election


def load(path: Path) -> tuple[Election, EncryptedTally]:
    """The election, and its encrypted tally with the shuffles so far merged."""
    wanted: dict[str, bytes] = {}
    election: Election | None = None
    tally: EncryptedTally | None = None
    shuffle = b""  # the newest one, whose ciphertexts are those to work on
    with path.open("rb") as file:
        for item in read_archive(file):
            if isinstance(item, Header):
                continue
            if item.kind == "data":
                wanted[item.hash] = item.data
                continue
            event = Event.parse(item.data)
            payload = wanted.get(event.payload or "", b"")
            if event.type == "Setup":
                election = Election.parse(wanted[SetupData.parse(payload).election])
            elif event.type == "EncryptedTally":
                tally = EncryptedTally.parse(wanted[SizedEncryptedTally.parse(payload).encrypted_tally])
            elif event.type == "Shuffle":
                shuffle = wanted[Owned.parse(payload).payload]
            wanted.clear()
    if election is None or tally is None:
        raise MalformedError("the archive has no encrypted tally yet")
    return election, merge_nh_ciphertexts(election, tally, Shuffle.parse(shuffle).ciphertexts) if shuffle else tally


RULES = ({"rule": "motion", "threshold": "simple-majority", "base": "cast"}, {"rule": "scottish-2011", "seats": 3, "ron": False})


def count(path: Path) -> str:
    """Count the published result by a motion's and an election's rule; who won."""
    wanted: dict[str, bytes] = {}
    result: Result | None = None
    with path.open("rb") as file:
        for item in read_archive(file):
            if isinstance(item, Header):
                continue
            if item.kind == "data":
                wanted[item.hash] = item.data
                continue
            event = Event.parse(item.data)
            if event.type == "Setup":
                setup = SetupData.parse(wanted[str(event.payload)])
                election = Election.parse(wanted[setup.election])
            elif event.type == "Result":
                result = Result.parse(wanted[str(event.payload)])
            wanted.clear()
    if result is None:
        raise MalformedError("the archive has no result yet")
    declared = Declarations(companion=True, minimum_ballots=5, practice=False, replace=False, roll="", rules=RULES)
    papers = len(result.result[1])
    return " ".join(o.verdict for o in count_election(election, declared, result, ballots=papers, electorate=papers, seed="0" * 64))


def main() -> None:
    """Do what the arguments say."""
    if sys.argv[1] == "count":
        print(count(Path(sys.argv[2])))
        return
    what, file, _owner, key = sys.argv[1:5]
    election, tally = load(Path(file))
    with ProcessPoolExecutor(os.cpu_count()) as pool:
        if what == "shuffle":
            text = shuffle_tally(election, tally, SystemRng(), pool).to_bytes()
        else:
            private_key = int(json.loads(Path(key).read_text(encoding="ascii")))
            text = gen_partial_decryption(election.fingerprint, tally, private_key, SystemRng(), pool).to_bytes()
    sys.stdout.buffer.write(text + b"\n")


if __name__ == "__main__":
    main()
