"""What runs in a key-holder's browser, in Node: the vectors shared with Python, key files of both, and the hostile archives."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from ballot import keyholder, sealed
from ballot.keyholder import KeyFile
from ballot.web import build
from tests.elections import honest, society
from tests.verifier.hostile import CASES, FIELDS, SCALARS, Hostile

HERE = Path(__file__).parent
# Left to the verifier: what was seen before, agreement of more shares than needed, and everything after the last share.
ELSEWHERE = {"pin", "decryption-agreement", "result-form", "result-value", "result-range", "count-rule", "count-form", "count-value"}


@pytest.fixture(scope="session", autouse=True)
def libraries() -> None:
    build.install_libraries()


def node(*arguments: str, given: str = "") -> str:
    done = subprocess.run([*build.node_command(), *arguments], input=given, capture_output=True, text=True, check=False, timeout=900)
    assert 0 == done.returncode, done.stdout[-6000:] + done.stderr[-2000:]
    return done.stdout


def test_node_finds_no_fault() -> None:
    shown = node("--test", str(HERE / "keyholders.test.js")).replace("ℹ", "#")
    assert "\n# fail 0\n" in shown
    assert "\n# pass 0\n" not in shown


def _line(folder: Path, name: str, hostile: Hostile) -> str:
    archive, companion = folder / f"{name}.bel", folder / f"{name}.companion.json"
    archive.write_bytes(hostile.archive)
    companion.write_bytes(hostile.companion or b"")
    return f"{society().election.uuid}\t{archive}\t{companion}"


def test_a_browser_refuses_the_archives_that_the_verifier_refuses_and_takes_the_honest_one(tmp_path: Path) -> None:
    board = honest()
    lines = [_line(tmp_path, "honest", Hostile(board.to_bytes(), board.companion_bytes()))]
    due = [case for case in CASES if case.rule.id not in ELSEWHERE]
    alike = [case for case in due if case.name.startswith((*FIELDS, *SCALARS))]  # each field in each bad spelling
    cases = [case for case in due if case not in alike][::8] + alike[::60]  # all of them: test_verifier.py
    lines += [_line(tmp_path, str(number), case.hostile()) for number, case in enumerate(cases)]
    good, *answers = node(str(HERE / "archives.mjs"), given="\n".join(lines)).strip().split("\n")
    assert good.startswith("good Result "), good
    assert len(cases) == len(answers)
    said = {case.name: answer for case, answer in zip(cases, answers, strict=True)}
    assert {} == {name: answer for name, answer in said.items() if answer.startswith("good")}
    refusals = ("MalformedError", "VerificationError")
    assert {} == {name: answer for name, answer in said.items() if not answer.startswith(refusals)}, "refused, but by accident"


KEY = KeyFile("11VectorsABCDE", 2, "Zoë Ångström", "threshold", "1BaLLotVectorSeed11111", 5)
PASSPHRASE = "correct horse bättery"
_READ = """
import { openKey, fileName } from "./keyfile.js"; import { readFileSync } from "node:fs";
const [path, passphrase] = process.argv.slice(1); const key = await openKey(readFileSync(path, "utf8"), passphrase);
console.log(JSON.stringify([key.election, key.owner, key.holder, key.kind, key.seed, String(key.privateKey), fileName(key)]));
"""
_WRITE = """
import { sealKey } from "./keyfile.js"; const [passphrase] = process.argv.slice(1);
const seed = "1BaLLotVectorSeed11111";
const key = { election: "11VectorsABCDE", owner: 2, holder: "Zoë Ångström", kind: "threshold", seed, privateKey: 5n };
process.stdout.write(await sealKey(key, passphrase));
"""


def _script(source: str, *arguments: str) -> str:
    absolute = source.replace('"./keyfile.js"', repr(str(build.SOURCES.parent / "trustee" / "keyfile.js")))
    return node("--input-type=module", "--eval", absolute, *arguments)


def test_a_key_file_of_the_command_line_opens_in_the_browser(tmp_path: Path) -> None:
    import json

    path = tmp_path / "a.key"
    keyholder.write_key(path, KEY, PASSPHRASE)
    assert ["11VectorsABCDE", 2, KEY.holder, "threshold", KEY.seed, "5", KEY.name] == json.loads(_script(_READ, str(path), PASSPHRASE))


def test_a_key_file_of_the_browser_opens_on_the_command_line() -> None:
    data = _script(_WRITE, PASSPHRASE).encode()
    assert KEY == KeyFile.from_bytes(data, PASSPHRASE)
    assert (keyholder.KIND, {"election": KEY.election, "owner": "2", "holder": KEY.holder, "key": "threshold"}) == sealed.peek(data)
