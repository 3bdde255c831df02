"""The verifier in the browser says of every archive what `ballot verify` says: here in Node, tests/browser in a browser."""

from __future__ import annotations

import io
import json
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import pytest

from ballot.protocol.messages import QuestionH, QuestionNH
from ballot.simulate import Plan, simulate
from ballot.verifier.report import Report
from ballot.verifier.rules import Rule
from ballot.verifier.verify import verify_archive
from ballot.web import build
from tests.elections import Society, honest
from tests.interop.by_belenios import MOTION, RANKED, run_with_belenios
from tests.verifier.hostile import CASES, Hostile, counted

HERE = Path(__file__).parent


@pytest.fixture(scope="session", autouse=True)
def libraries() -> None:
    build.install_libraries()


def in_node(folder: Path, archives: Iterable[Hostile]) -> list[dict[str, Any]]:
    """The reports of the browser's verifier."""
    lines = []
    for number, published in enumerate(archives):
        path = folder / f"{number}.bel"
        path.write_bytes(published.archive)
        beside: dict[str, str | None] = {"companion": None, "results": None}
        for name, content in (("companion", published.companion), ("results", published.results)):
            if content is not None:
                beside[name] = str(path.with_suffix(f".{name}.json"))
                path.with_suffix(f".{name}.json").write_bytes(content)
        lines.append(json.dumps({"archive": str(path), "pins": published.pins, **beside}))
    command = [*build.node_command(), str(HERE / "verify.mjs")]
    done = subprocess.run(command, input="\n".join(lines), capture_output=True, text=True, check=False, timeout=900)
    assert 0 == done.returncode, done.stderr[-3000:]
    return [json.loads(line) for line in done.stdout.rstrip("\n").split("\n")]


def by_python(published: Hostile) -> Report:
    return verify_archive(
        io.BytesIO(published.archive), companion=published.companion, results=published.results, pins=published.pins
    )


def assert_same(ours: Report, theirs: dict[str, Any]) -> None:
    """Outcome, words, steps, notes and results of both."""
    refusal, other = ours.refusal, theirs["refusal"]
    assert (ours.outcome.word, ours.sentence) == (theirs["outcome"], theirs["sentence"])
    assert (refusal is None) == (other is None)
    if refusal is not None:
        assert (refusal.rule, refusal.height, refusal.blame) == (other["rule"], other["height"], other["blame"])
    assert {step.name: words for step, words in ours.steps.items()} == theirs["steps"]
    assert ours.notes == theirs["notes"]
    assert list(ours.verdicts) == theirs["verdicts"]
    assert (ours.uuid, ours.fingerprint, ours.height, ours.head) == tuple(theirs[key] for key in ("uuid", "fingerprint", "height", "head"))
    assert (ours.credentials, ours.ballots, ours.counted) == (theirs["credentials"], theirs["ballots"], theirs["counted"])
    assert (ours.result is None) == (theirs["result"] is None)


def test_every_hostile_archive_is_refused_by_the_same_rule_at_the_same_event(tmp_path: Path) -> None:
    archives = [case.hostile() for case in CASES]
    reports = in_node(tmp_path, archives)
    assert len(CASES) == len(reports)
    wrong = {
        case.name: (report["outcome"], report["refusal"], report["sentence"])
        for case, report in zip(CASES, reports, strict=True)
        if report["outcome"] != "refused"
        or (case.rule.id, case.height) != (report["refusal"]["rule"], report["refusal"]["height"])
        or case.words not in report["sentence"]
    }
    assert {} == wrong
    for published, report in list(zip(archives, reports, strict=True))[::12]:
        assert_same(by_python(published), report)


SOME = QuestionH(("A", "B", "C"), 0, 2, "Who speaks?")
SURE = QuestionH(("For", "Against"), 1, 1, "Shall we?", blank=True)
ORDER = QuestionNH(("A", "B", "C", "D"), "In which order?")
MAJORITY: dict[str, Any] = {"rule": "motion", "threshold": "two-thirds", "base": "papers", "quorum": 3}
PLANS = (
    Plan((SURE,), 7, trustees=1, seed=b"motion", rules=(MAJORITY,)),
    Plan((SURE, SOME), 9, trustees=3, threshold=2, seed=b"totals", rules=(MAJORITY, {"rule": "up-to-n", "seats": 2})),
    Plan((ORDER,), 6, trustees=2, seed=b"plain", declared=False),
    Plan((ORDER, SURE, SOME, ORDER), 8, trustees=3, threshold=2, turnout=6, seed=b"several"),
    *(
        Plan((ORDER,), 7, trustees=1, seed=rule.encode(), rules=({"rule": rule, "seats": 1, "ron": True},))
        for rule in ("ers97", "meek")  # all of them: test_count.py
    ),
)


def simulated(plan: Plan) -> Hostile:
    file = io.BytesIO()
    done = simulate(plan, lambda _: file)
    return Hostile(file.getvalue(), None if done.companions is None else done.companions.to_bytes(), results=done.results)


def test_good_archives_are_verified_in_the_same_words(tmp_path: Path) -> None:
    three_of_three = Society(seed=b"surplus").hold(decrypting=(1, 2, 3, 4))  # more shares than are needed
    lenient = Society(seed=b"lenient", declarations=None)
    again = lenient.hold([*lenient.ballots(), lenient.ballot(2, again="twice")])  # a vote that was replaced
    archives = [
        *map(simulated, PLANS),
        counted(),
        Hostile(honest().to_bytes(), honest().companion_bytes(), ((3, honest().hash_at(3)), (16, honest().hash_at(16)))),
        Hostile(three_of_three.to_bytes(), three_of_three.companion_bytes()),
        Hostile(again.to_bytes()),
    ]
    for published, report in zip(archives, in_node(tmp_path, archives), strict=True):
        assert "verified" == report["outcome"], report["sentence"]
        assert_same(by_python(published), report)


def test_beginnings_are_unfinished_and_other_files_unusable(tmp_path: Path) -> None:
    archives = []
    for end in (1, 3, 7, 8, 9, 11, 12, 13, 15, 16):
        board = honest()
        del board.acts[end:]
        archives.append(Hostile(board.to_bytes(), board.companion_bytes()))
    whole = honest().to_bytes()
    archives += [Hostile(whole[:1024]), Hostile(b""), Hostile(whole[:700]), Hostile(b"no archive " * 300), Hostile(whole[1024:])]
    outcomes = []
    for published, report in zip(archives, in_node(tmp_path, archives), strict=True):
        assert_same(by_python(published), report)
        outcomes.append(report["outcome"])
    assert ["unfinished"] * 11 + ["unusable"] * 4 == outcomes


@pytest.mark.belenios_tool
def test_an_archive_that_belenios_made_is_verified(tmp_path: Path, belenios_tool: Path) -> None:
    choices = [[[0, 1, 0], [1, 2, 3]], [[1, 0, 0], [3, 1, 2]], [[0, 0, 1], [0, 1, 2]]]
    path = run_with_belenios(belenios_tool, tmp_path, (MOTION, RANKED), choices, threshold=(2, 3), decrypting=(1, 2, 4), again=(1,))
    published = Hostile(path.read_bytes())
    (report,) = in_node(tmp_path, [published])
    assert "verified" == report["outcome"], report["sentence"]
    assert_same(by_python(published), report)


def test_rules_and_steps_have_one_source() -> None:
    words = json.loads((build.VERIFY_SOURCES / "words.json").read_text())
    assert [rule.id for rule in Rule] == [rule["id"] for rule in words["rules"]]
    assert [rule.statement for rule in Rule] == [rule["statement"] for rule in words["rules"]]
    named = "".join(path.read_text() for path in build.VERIFY_SOURCES.glob("*.js"))
    assert [] == [rule.id for rule in Rule if f'"{rule.id}"' not in named], "a rule that the browser never names"
