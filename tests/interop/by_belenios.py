"""A whole election run with Belenios's own command line and nothing of ours: what our verifier must accept."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

MOTION: dict[str, Any] = {"answers": ["For", "Against"], "blank": True, "min": 1, "max": 1, "question": "Shall we?"}
CHOOSE: dict[str, Any] = {"answers": ["Ann", "Bo", "Cy"], "min": 1, "max": 2, "question": "Who speaks?"}
RANKED: dict[str, Any] = {"type": "NonHomomorphic", "value": {"answers": ["Ann", "Bo", "Cy"], "question": "In which order?"}}


@dataclass
class ToolElection:
    """Makes an archive step by step in a folder of its own; `path` is the `.bel` file."""

    tool: Path
    folder: Path
    path: Path

    def run(self, *arguments: str, stdin: str = "") -> str:
        done = subprocess.run([str(self.tool), *arguments], input=stdin, capture_output=True, text=True, cwd=self.folder, check=False)
        if done.returncode:
            raise RuntimeError(f"{arguments}: {done.stderr}")
        return done.stdout

    def write(self, name: str, text: str) -> None:
        (self.folder / name).write_text(text, encoding="utf-8")

    def event(self, kind: str, payload: str = "") -> None:
        self.run("archive", "add-event", "--type", kind, stdin=payload)


def _trustees(election: ToolElection, singles: int, threshold: tuple[int, int] | None) -> list[list[str]]:
    """Make the trustees' keys; returns for each trustee the arguments with which it decrypts."""
    group = ["--group", "Ed25519"]
    decrypt: list[list[str]] = []
    election.write("public_keys.jsons", "")
    for _ in range(singles):
        before = set(election.folder.glob("*.pubkey"))
        election.run("setup", "generate-trustee-key", *group)
        (new,) = set(election.folder.glob("*.pubkey")) - before
        with (election.folder / "public_keys.jsons").open("a") as keys:
            keys.write(new.read_text())
        decrypt.append(["decrypt", "--privkey", f"{new.stem}.privkey"])
    if threshold:
        k, n = threshold
        step = ["setup", "generate-trustee-key-threshold", *group, "--step"]
        ids = [election.run(*step, "1", "--threshold-context", f"{i}/{k}/{n}").strip() for i in range(1, n + 1)]
        election.write("certs.jsons", "".join((election.folder / f"{name}.cert").read_text() for name in ids))
        certs = ["--certs", "certs.jsons"]
        election.write("polynomials.jsons", "".join(election.run(*step, "3", *certs, "--key", f"{name}.key") for name in ids))
        polynomials = [*certs, "--polynomials", "polynomials.jsons"]
        election.run(*step, "4", *polynomials)
        outputs = [election.run(*step, "5", *certs, "--key", f"{i}.key", stdin=(election.folder / f"{i}.vinput").read_text()) for i in ids]
        election.write("threshold.json", election.run(*step, "6", *polynomials, stdin="".join(outputs)))
        decrypt += [["decrypt-threshold", "--key", f"{name}.key", "--decryption-key", f"{name}.dkey"] for name in ids]
    election.run("setup", "make-trustees")
    return decrypt


def run_with_belenios(
    tool: Path,
    folder: Path,
    questions: Sequence[dict[str, Any]],
    choices: Sequence[Sequence[Sequence[int]]],
    *,
    singles: int = 1,
    threshold: tuple[int, int] | None = None,
    decrypting: Sequence[int] | None = None,
    again: Sequence[int] = (),
) -> Path:
    """Run an election and return its archive. `choices`: one a ballot, [question][answer], with the blank's 0 or 1 first
    where blank is allowed. `decrypting`: owners, from 1; all by default. `again`: ballots whose voter votes twice."""
    folder.mkdir(parents=True, exist_ok=True)
    uuid = subprocess.run([str(tool), "setup", "generate-token", "--length=14"], capture_output=True, text=True, check=True).stdout.strip()
    election = ToolElection(tool, folder, folder / f"{uuid}.bel")
    here = ["--group", "Ed25519", "--uuid", uuid]
    election.run("setup", "generate-credentials", "--count", str(len(choices) + 1), *here)
    (public,) = folder.glob("*.pubcreds")
    public.rename(folder / "public_creds.json")
    (private,) = folder.glob("*.privcreds")
    codes = list(json.loads(private.read_text()).values())
    decrypt = _trustees(election, singles, threshold)
    election.write("template.json", json.dumps({"description": "Made by Belenios.", "name": "Interop", "questions": list(questions)}))
    election.run("setup", "make-election", "--template", "template.json", *here)
    election.run("archive", "init")
    for number in [*range(len(choices)), *again]:
        election.write("code", codes[number])
        election.write("choice.json", json.dumps(choices[number]))
        election.event("Ballot", election.run("election", "generate-ballot", "--dir", ".", "--privcred", "code", "--choice", "choice.json"))
    election.event("EndBallots")
    election.event("EncryptedTally", election.run("election", "compute-encrypted-tally", "--dir", "."))
    if any("type" in question for question in questions):
        for owner in range(1, len(decrypt) + 1):
            election.event("Shuffle", election.run("election", "shuffle", "--dir", ".", "--trustee-id", str(owner)))
        election.event("EndShuffles")
    for owner in decrypting or range(1, len(decrypt) + 1):
        share = election.run("election", decrypt[owner - 1][0], "--dir", ".", *decrypt[owner - 1][1:], "--trustee-id", str(owner))
        election.event("PartialDecryption", share)
    election.event("Result", election.run("election", "compute-result", "--dir", "."))
    return election.path
