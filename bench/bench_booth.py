"""Seal time of the booth's own code, in Node: `python -m bench.bench_booth`. A slow phone takes some ten times as long."""

from __future__ import annotations

import json
import statistics
import subprocess
from pathlib import Path

from ballot.protocol.credentials import new_code
from ballot.protocol.group import G, SystemRng
from ballot.protocol.messages import Election
from ballot.simulate import parse_template
from ballot.web import build
from bench.protocol import QUESTIONS

TIMES = 30
ANSWERS = [[0, 1, 0], [1, 2, 3, 4, 5, 6, 7, 8, 9, 10]]


def main() -> None:
    """Print the first and the middle time."""
    build.install_libraries()
    rng = SystemRng()
    name, description, questions = parse_template(QUESTIONS.read_bytes())
    election = Election(1, description, name, "Ed25519", G ** rng.scalar(), questions, "BenchE1ection1")
    task = {"election": election.to_bytes().decode(), "uuid": election.uuid, "code": new_code(rng), "answers": ANSWERS, "times": TIMES}
    command = [*build.node_command(), str(Path(__file__).with_name("seal.mjs"))]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=True)
    first, *rest = json.loads(done.stdout)
    print("Sealing one ballot with the booth's code (one motion with abstention and one ranked question of 10), in Node.")
    print(f"first {first * 1000:.0f} ms, then {statistics.median(rest) * 1000:.0f} ms")


if __name__ == "__main__":
    main()
