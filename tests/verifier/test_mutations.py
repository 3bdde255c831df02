"""Mutation testing of the verifier: with any one of its refusals taken out, some hostile archive is no longer refused for it.

A check that is computed and not compared, or not reached, passes every other kind of test (threats 2). First the verifier's own
refusals, all of them; then every `raise` of the protocol's modules that an archive of the corpus runs into.
`python -m tests.verifier.test_mutations` prints each with the archive that misses it, and the score.
"""

from __future__ import annotations

import ast
import gc
import importlib
import io
import signal
import sys
import types
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
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


def caught_by(name: str, number: int) -> str | None:
    """The hostile archive that is no longer refused for its rule when this refusal is taken out; None if there is none."""
    node = refusals(MODULES[name])[number]
    mutant = without(MODULES[name], node.lineno)
    rules = {Rule[rule] for rule in rules_of(node)}
    with pytest.MonkeyPatch.context() as patch:
        if name == "chain":
            patch.setattr(verify, "Chain", mutant.Chain)
        elif name == "ballots":
            patch.setattr(verify, "check_chunk", mutant.check_chunk)
        # Cases with a name of their own first: they are about one check each; the families over fields come last.
        for case in sorted((case for case in CASES if case.rule in rules), key=lambda case: ":" in case.name):
            rule, height, sentence = judged(case, mutant if name == "verify" else verify)
            if (rule, height) != (case.rule.id, case.height) or case.words not in sentence:
                return case.name
    return None


@pytest.mark.parametrize(("name", "number"), SITES)
def test_check_computed_not_compared_a_refusal_taken_out_is_missed(name: str, number: int) -> None:
    line = refusals(MODULES[name])[number].lineno
    assert caught_by(name, number), f"line {line} of {name}.py can be taken out and every hostile archive is still refused"


# --- the checks below the verifier ------------------------------------------------------------------------------------------

PROTOCOL = {
    importlib.import_module(f"ballot.protocol.{name}").__file__: importlib.import_module(f"ballot.protocol.{name}")
    for name in (
        "archive", "ballots", "companion", "credentials", "declarations", "decryption", "elgamal", "group", "messages", "proofs", "result",
        "shuffle", "tally", "trustees",
    )
}  # fmt: skip
# Checks that a second one stands behind, so that an archive is refused for the same rule without them.
BACKED = {
    ("declarations", "a description must not itself"): "the line is read again when it is split off",
    ("messages", "is not an integer"): "a number in another form is not written again to the byte",
    ("messages", "a public credential appears twice"): "the verifier compares their number with the list's",
    ("trustees", "a group's threshold must be from 1"): "the certificates' own check of their place",
    ("messages", ": expected an object"): "a list has no keys, and those are missed next",
}


class _Stop:
    """Give up on a reader that, without its refusal, would read for ever."""

    def __enter__(self) -> None:
        signal.signal(signal.SIGALRM, self._stop)
        signal.alarm(5)

    def __exit__(self, *_: object) -> None:
        signal.alarm(0)

    @staticmethod
    def _stop(*_: object) -> None:
        raise TimeoutError


class _Evaluate(ast.NodeTransformer):
    """The error of one line is made, and not raised."""

    def __init__(self, line: int) -> None:
        self.line = line

    def visit_Raise(self, node: ast.Raise) -> ast.stmt:
        return ast.copy_location(ast.Expr(node.exc), node) if node.lineno == self.line and node.exc else node


@cache
def run_into() -> dict[tuple[str, int], list[Case]]:
    """(File, line) of each `raise` of the protocol's modules → the archives of the corpus, by name, that run into it."""
    lines = {
        (file, node.lineno)
        for file, module in PROTOCOL.items()
        if file
        for node in ast.walk(ast.parse(Path(file).read_text(encoding="utf-8")))
        if isinstance(node, ast.Raise) and node.exc is not None
    }
    found: dict[tuple[str, int], list[Case]] = defaultdict(list)
    for case in CASES:
        if ":" in case.name:
            continue
        hostile = made(case.name)

        def within(frame: types.FrameType, event: str, _: object, case: Case = case) -> Any:
            place = (frame.f_code.co_filename, frame.f_lineno)
            if event == "exception" and place in lines and case not in found[place]:
                found[place].append(case)
            return within

        def everywhere(frame: types.FrameType, _event: str, _: object, within: Any = within) -> Any:
            return within if frame.f_code.co_filename in PROTOCOL else None

        before = sys.gettrace()
        sys.settrace(everywhere)
        try:
            verify.verify_archive(io.BytesIO(hostile.archive), companion=hostile.companion, results=hostile.results, pins=hostile.pins)
        finally:
            sys.settrace(before)
    return dict(found)


def _codes(code: types.CodeType) -> Iterator[types.CodeType]:
    for constant in code.co_consts:
        if isinstance(constant, types.CodeType):
            yield constant
            yield from _codes(constant)


@contextmanager
def not_raising(file: str, line: int) -> Iterator[None]:
    """Wherever the function of this line is known by now, its error is made and not raised."""
    with open(file, encoding="utf-8") as source:  # noqa: PTH123
        tree = ast.fix_missing_locations(_Evaluate(line).visit(ast.parse(source.read())))
    changed = {code.co_qualname: code for code in _codes(compile(tree, file, "exec", dont_inherit=True))}
    functions = [
        found
        for found in gc.get_objects()
        if isinstance(found, types.FunctionType)
        and found.__code__.co_filename == file
        and line in {number for *_, number in found.__code__.co_lines()}
    ]
    assert functions, (file, line)
    before = [function.__code__ for function in functions]
    try:
        for function in functions:
            function.__code__ = changed[function.__code__.co_qualname]
        yield
    finally:
        for function, code in zip(functions, before, strict=True):
            function.__code__ = code


def passed_without(file: str, line: int) -> str | None:
    """The hostile archive that is no longer refused for its rule and in its words without this error; None if there is none."""
    for case in run_into()[file, line]:
        made(case.name)
    with not_raising(file, line):
        for case in run_into()[file, line]:
            try:
                with _Stop():
                    rule, height, sentence = judged(case, verify)
            except TimeoutError:
                return case.name
            if (rule, height) != (case.rule.id, case.height) or case.words not in sentence:
                return case.name
    return None


def backed(file: str, line: int) -> bool:
    """Whether this error is one of those that a second check stands behind."""
    with open(file, encoding="utf-8") as source:  # noqa: PTH123
        text = " ".join(source.read().splitlines()[line - 1 : line + 2])
    return any(PROTOCOL[file].__name__.endswith(f".{module}") and words in text for module, words in BACKED)


def test_check_computed_not_compared_in_the_protocol_s_own_modules() -> None:
    missed = {place: passed_without(*place) for place in run_into()}
    assert len(missed) >= 60
    assert [] == sorted(place for place, case in missed.items() if case is None and not backed(*place))
    assert [] == sorted(place for place, case in missed.items() if case is not None and backed(*place))


def main() -> None:
    """Print each refusal with the archive that misses it, and the score."""
    say = sys.stdout.write
    own = [(site.id or "", caught_by(str(site.values[0]), int(str(site.values[1])))) for site in SITES]
    below = [(f"{file.rpartition('/')[2]}:{line}", passed_without(file, line)) for file, line in sorted(run_into())]
    for place, case in own + below:
        say(f"{place:60} {case or 'a second check stands behind it'}\n")
    say(f"The verifier's refusals: {sum(bool(case) for _, case in own)} of {len(own)} are missed when they are taken out")
    say(f" ({len(UNREACHABLE)} more are reached by no file, and tested by themselves).\n")
    say(f"The protocol's, as far as the corpus runs into them: {sum(bool(case) for _, case in below)} of {len(below)};")
    say(f" behind the other {sum(not case for _, case in below)} stands a second check.\n")
    raise SystemExit(not all(case for _, case in own))


if __name__ == "__main__":
    main()
