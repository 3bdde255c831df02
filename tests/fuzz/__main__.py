"""`python -m tests.fuzz [TARGET …] [--seconds N]`: coverage-guided fuzzing of every reader, one process each.

An input that breaks a reader is left in `tests/fuzz/found/`, named after the reader; `test_fuzz.py` tries all of them again
on every run, so a mended one stays mended. Exit status 1 if one was found.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
import tempfile
from pathlib import Path

HERE = Path(__file__).parent
FOUND = HERE / "found"
SLOWEST = 10  # seconds for one input: more is a hang
LARGEST = 20_000  # bytes of one input


def one(name: str, corpus: str, arguments: list[str]) -> None:
    """Fuzz one reader in this process; libFuzzer ends it."""
    import atheris

    with atheris.instrument_imports(include=["ballot"]):
        from ballot.errors import BallotError
        from tests.fuzz.targets import TARGETS
    target = TARGETS[name]
    for number, seed in enumerate(target.seeds()):
        (Path(corpus) / f"seed-{number}").write_bytes(seed)

    def read(data: bytes) -> None:
        try:
            target.read(data)
        except BallotError:
            return

    atheris.Setup([sys.argv[0], corpus, *arguments], read)
    atheris.Fuzz()


def run(name: str, seconds: int) -> tuple[int, str]:
    """Fuzz one reader in a process of its own; how many inputs it tried, and what it says if one broke it."""
    FOUND.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as corpus:
        arguments = [f"-max_total_time={seconds}", f"-timeout={SLOWEST}", f"-max_len={LARGEST}", "-rss_limit_mb=2048"]
        command = [sys.executable, "-m", "tests.fuzz", "--inside", name, corpus, *arguments, f"-artifact_prefix={FOUND / name}-"]
        done = subprocess.run(command, cwd=HERE.parents[1], capture_output=True, text=True, errors="replace", check=False)
    tried = re.findall(r"^#(\d+)\s", done.stderr, re.MULTILINE)
    return int(tried[-1]) if tried else 0, "" if done.returncode == 0 else (done.stdout + done.stderr)[-3000:]


def main() -> None:
    """Fuzz the readers that are named, or all."""
    if sys.argv[1:2] == ["--inside"]:
        one(sys.argv[2], sys.argv[3], sys.argv[4:])
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    parser.add_argument("targets", nargs="*", metavar="TARGET")
    parser.add_argument("--seconds", type=int, default=600, help="for each reader (default: %(default)s)")
    args = parser.parse_args()
    from tests.fuzz.targets import TARGETS

    broken = 0
    for name in args.targets or TARGETS:
        tried, complaint = run(name, args.seconds)
        broken += bool(complaint)
        sys.stdout.write(f"{name:14}{tried:>12} inputs  {'BROKEN' if complaint else 'nothing found'}\n{complaint}")
        sys.stdout.flush()
    raise SystemExit(1 if broken else 0)


if __name__ == "__main__":
    main()
