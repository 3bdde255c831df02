"""Mutation testing of the verifier: with any one of its refusals taken out, some hostile archive is no longer refused for it.

A check that is computed and not compared, or not reached, passes every other kind of test (threats 2).
"""

from __future__ import annotations

import ast
import io
import types
from functools import cache
from typing import Any

import pytest

from ballot.verifier import ballots, chain, verify
from ballot.verifier.report import Report
from ballot.verifier.rules import Rule
from tests.verifier.hostile import CASES, Case, Hostile

MODULES = {module.__name__.rpartition(".")[2]: module for module in (chain, ballots, verify)}
# Refusals that no file reaches, each with the reason.
UNREACHABLE = {
    ("verify", "RESULT_RANGE"): "the ballots' proofs imply it; test_verify.py takes it by itself",
    ("verify", "INTERNAL"): "where nothing else was foreseen; test_verify.py takes it by itself",
}


def refusals(module: types.ModuleType) -> list[ast.Raise]:
    """Every statement `raise refuse(Rule.…, …)` of a module, in order."""
    assert module.__file__ is not None
    with open(module.__file__, encoding="utf-8") as source:  # noqa: PTH123
        tree = ast.parse(source.read())
    found = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.Raise) and isinstance(node.exc, ast.Call) and ast.unparse(node.exc.func) == "refuse"
    ]
    return sorted(found, key=lambda node: node.lineno)


def rules_of(node: ast.Raise) -> set[str]:
    """The rules that a refusal can name; a rule that is computed stands for the four forms of payloads."""
    assert isinstance(node.exc, ast.Call)
    text = ast.unparse(node.exc.args[0])
    if text.startswith("Rule."):
        return {text.removeprefix("Rule.")}
    if text == "rule":
        return {"SHUFFLE_OWNER", "DECRYPTION_OWNER"}
    return {"SETUP_FORM", "TALLY_FORM", "SHUFFLE_FORM", "DECRYPTION_FORM"}


SITES = [
    pytest.param(name, number, id=f"{name}-{number}-{'-'.join(sorted(rules_of(node)))}")
    for name, module in MODULES.items()
    for number, node in enumerate(refusals(module))
    if not {(name, rule) for rule in rules_of(node)} & UNREACHABLE.keys()
]


class _TakeOut(ast.NodeTransformer):
    def __init__(self, line: int) -> None:
        self.line = line

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        return ast.copy_location(ast.Pass(), node) if node.lineno == self.line else node


def without(module: types.ModuleType, line: int) -> types.ModuleType:
    """The module with the refusal on this line taken out."""
    assert module.__file__ is not None
    with open(module.__file__, encoding="utf-8") as source:  # noqa: PTH123
        tree = ast.fix_missing_locations(_TakeOut(line).visit(ast.parse(source.read())))
    mutant = types.ModuleType(module.__name__)
    mutant.__dict__["__file__"] = module.__file__
    exec(compile(tree, module.__file__, "exec"), mutant.__dict__)  # noqa: S102 - our own source
    return mutant


@cache
def made(name: str) -> Hostile:
    return next(case for case in CASES if case.name == name).hostile()


def judged(case: Case, verifier: Any) -> tuple[str | None, int | None, str]:
    hostile = made(case.name)
    beside = {"companion": hostile.companion, "results": hostile.results}
    report: Report = verifier.verify_archive(io.BytesIO(hostile.archive), **beside, pins=hostile.pins)
    return (report.refusal and report.refusal.rule, report.refusal and report.refusal.height, report.sentence)


@pytest.mark.parametrize(("name", "number"), SITES)
def test_check_computed_not_compared_a_refusal_taken_out_is_missed(name: str, number: int, monkeypatch: pytest.MonkeyPatch) -> None:
    node = refusals(MODULES[name])[number]
    mutant = without(MODULES[name], node.lineno)
    if name == "chain":
        monkeypatch.setattr(verify, "Chain", mutant.Chain)
    elif name == "ballots":
        monkeypatch.setattr(verify, "check_chunk", mutant.check_chunk)
    rules = {Rule[rule] for rule in rules_of(node)}
    # Cases with a name of their own first: they are about one check each; the families over fields come last.
    for case in sorted((case for case in CASES if case.rule in rules), key=lambda case: ":" in case.name):
        rule, height, sentence = judged(case, mutant if name == "verify" else verify)
        if (rule, height) != (case.rule.id, case.height) or case.words not in sentence:
            return
    pytest.fail(f"line {node.lineno} of {name}.py can be taken out and every hostile archive is still refused")
