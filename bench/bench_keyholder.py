"""Count day in a key-holder's browser, in Node: `python -m bench.bench_keyholder`. 1,000 ranked ballots, 2 of 3 key-holders."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
from pathlib import Path

from ballot.web import build

VOTERS = 1000
ANSWERS = ["Ann", "Bob", "Cyd", "Dee", "Eve", "Re-open nominations"]
QUESTION = {"type": "NonHomomorphic", "value": {"answers": ANSWERS, "question": "Secretary"}}
MOTION = {"answers": ["For", "Against"], "blank": True, "min": 1, "max": 1, "question": "Motion 1"}
STEPS = {
    "check": "the whole ballot box checked",
    "shuffle": "shuffle and its proof made",
    "decrypt": "share and its proofs made",
}


def measure(questions: list[dict[str, object]], folder: Path) -> dict[str, float]:
    """Seconds by step."""
    template, out = folder / "questions.json", folder / "election"
    template.write_text(json.dumps({"description": "", "name": "Bench", "questions": questions}))
    simulate = [sys.executable, "-m", "ballot.cli", "simulate", "--voters", str(VOTERS), "--trustees", "3", "--threshold", "2"]
    subprocess.run([*simulate, "--questions", str(template), str(out)], check=True, capture_output=True)
    (archive,) = out.glob("*.bel")
    task = {"uuid": archive.stem, "archive": str(archive), "companions": str(archive.with_suffix(".companion.json"))}
    command = [*build.node_command(), str(Path(__file__).with_name("keyholder.mjs"))]
    done = subprocess.run(command, input=json.dumps(task), capture_output=True, text=True, check=True)
    return {str(step): float(seconds) for step, seconds in json.loads(done.stdout).items()}


def main() -> None:
    """Print the seconds of each step, for a ranked question alone and with a motion beside it."""
    build.install_libraries()
    for title, questions in (("one ranked question", [QUESTION]), ("one ranked question and one motion", [QUESTION, MOTION])):
        with tempfile.TemporaryDirectory(prefix="ballot-bench-") as name:
            found = measure(questions, Path(name))
        print(f"A key-holder's browser on count day, in Node, one core: {VOTERS} ballots, {title}.")
        for step, words in STEPS.items():
            print(f"  {found.get(step, 0):6.1f} s  {words}")


if __name__ == "__main__":
    main()
