"""Ballots sealed by the booth's own modules, judged by Belenios's own command line."""

from __future__ import annotations

import json
import random
import subprocess
from pathlib import Path
from typing import Any

import pytest

from ballot.web import build
from tests.support import belenios

pytestmark = pytest.mark.belenios_tool

QUESTIONS: list[dict[str, Any]] = [
    {"answers": ["For", "Against"], "blank": True, "min": 1, "max": 1, "question": 'Motion: "more" \\ less\nand é, €, 😀'},
    {"answers": ["A", "B", "C", "D"], "min": 0, "max": 3, "question": "Up to three\u007f"},
    {"answers": ["A", "B", "C", "D"], "blank": True, "min": 2, "max": 3, "question": "Two or three"},
    {"answers": ["Yes"], "min": 1, "max": 1, "question": "Only yes"},
    {"type": "NonHomomorphic", "value": {"answers": ["Ann", "Bob", "Cyd"], "question": "In which order?"}},
    {"type": "NonHomomorphic", "value": {"answers": [f"C{n}" for n in range(30)], "question": "Thirty"}},
]


@pytest.fixture(scope="module")
def folder(belenios_tool: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An election that the tool made, with its Setup event only."""
    folder = tmp_path_factory.mktemp("election")

    def tool(*arguments: str) -> str:
        done = subprocess.run([belenios_tool, *arguments], cwd=folder, capture_output=True, text=True, check=False)
        assert 0 == done.returncode, done.stderr
        return done.stdout

    (folder / "template.json").write_text(json.dumps({"description": "About \u007f it", "name": "Tool", "questions": QUESTIONS}))
    uuid = tool("setup", "generate-token").strip()
    about = ("--uuid", uuid, "--group", "Ed25519")
    tool("setup", "generate-credentials", *about, "--count", "6")
    next(folder.glob("*.pubcreds")).rename(folder / "public_creds.json")
    next(folder.glob("*.privcreds")).rename(folder / "codes.json")
    tool("setup", "generate-trustee-key", "--group", "Ed25519")
    (folder / "public_keys.jsons").write_bytes(next(folder.glob("*.pubkey")).read_bytes())
    tool("setup", "make-trustees")
    tool("setup", "make-election", *about, "--template", "template.json")
    (folder / "kept.json").write_text((folder / "election.json").read_text().rstrip("\n"))
    tool("archive", "init")
    return folder


def seal(folder: Path, answers: list[list[list[int]]]) -> list[dict[str, str]]:
    election = (folder / "kept.json").read_text(encoding="utf-8")
    codes = list(json.loads((folder / "codes.json").read_text()).values())
    ballots = [{"code": code, "answers": one} for code, one in zip(codes, answers, strict=False)]
    request = json.dumps({"election": election, "uuid": json.loads(election)["uuid"], "ballots": ballots})
    command = [*build.node_command(), str(Path(__file__).parent / "seal.mjs")]
    done = subprocess.run(command, input=request, capture_output=True, text=True, check=False)
    assert 0 == done.returncode, done.stderr
    return json.loads(done.stdout)  # type: ignore[no-any-return]


def ranking(length: int, ranked: int, luck: random.Random) -> list[int]:
    ranks = [*range(1, ranked + 1), *[0] * (length - ranked)]
    luck.shuffle(ranks)
    return ranks


def test_every_kind_of_answer_is_accepted(folder: Path, belenios_tool: Path) -> None:
    build.install_libraries()
    luck = random.Random(5)
    answers = [
        [[0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0, 0], [1], ranking(3, 3, luck), ranking(30, 30, luck)],
        [[0, 0, 1], [1, 1, 1, 0], [0, 1, 1, 0, 0], [1], ranking(3, 2, luck), ranking(30, 1, luck)],
        [[1, 0, 0], [0, 0, 0, 1], [0, 0, 1, 1, 1], [1], ranking(3, 1, luck), ranking(30, 0, luck)],
        [[0, 1, 0], [0, 1, 0, 1], [0, 1, 0, 0, 1], [1], ranking(3, 0, luck), ranking(30, 17, luck)],
        [[0, 0, 1], [1, 0, 1, 1], [0, 1, 1, 1, 0], [1], ranking(3, 3, luck), ranking(30, 30, luck)],
    ]
    for number, sealed in enumerate(seal(folder, answers)):
        (folder / f"ballot{number}.json").write_text(sealed["ballot"])
        done = belenios.run(belenios_tool, "election", "verify-ballot", "--dir", folder, "--ballot", folder / f"ballot{number}.json")
        assert 0 == done.returncode, done.stderr
        tracker = belenios.run(belenios_tool, "sha256-b64", stdin=sealed["ballot"])
        assert sealed["tracker"] == tracker.stdout.strip()


def test_a_bent_one_is_refused(folder: Path, belenios_tool: Path) -> None:
    """The judge is awake."""
    (sealed,) = seal(folder, [[[0, 1, 0], [0, 0, 0, 0], [1, 0, 0, 0, 0], [1], [0] * 3, [0] * 30]])
    ballot = json.loads(sealed["ballot"])
    proof = ballot["answers"][0]["individual_proofs"][0][0]
    proof["response"] = str(int(proof["response"]) + 1)
    (folder / "bent.json").write_text(json.dumps(ballot, separators=(",", ":")))
    done = belenios.run(belenios_tool, "election", "verify-ballot", "--dir", folder, "--ballot", folder / "bent.json")
    assert 0 != done.returncode
