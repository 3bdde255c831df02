"""The tree is the architecture: imports point one way, and the pure parts stay pure."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

from tests.support.need import ROOT

PACKAGE = ROOT / "ballot"
PURE = ("protocol", "count", "recount", "verifier", "invariants")
IMPURE = {
    "flask",
    "werkzeug",
    "sqlmodel",
    "sqlalchemy",
    "logging",
    "time",
    "datetime",
    "os",
    "random",
    "socket",
    "subprocess",
    "smtplib",
    "urllib",
    "tempfile",
    "threading",
    "pathlib",
}
SMALL = {"config", "failpoints", "language", "sealed"}  # single modules that know nothing of the rest
# who may import whom, besides errors and themselves
MAY = {
    "protocol": set(),
    "count": set(),
    "recount": {"protocol", "count"},
    "verifier": {"protocol", "recount"},
    "invariants": {"protocol", "recount", "verifier"},
    "services": {"protocol", "count", "recount", "verifier", "invariants", "models", "services", "migrations"} | SMALL,
    "web": {"protocol", "count", "recount", "verifier", "models", "services", "web"} | SMALL,
}


def modules(folder: str) -> list[Path]:
    alone = PACKAGE / f"{folder}.py"
    return [alone] if alone.exists() else sorted((PACKAGE / folder).rglob("*.py"))


def imports(path: Path) -> set[str]:
    names: set[str] = set()
    tree = ast.parse(path.read_text(encoding="utf-8"))
    for_types = {
        inner
        for node in ast.walk(tree)
        if isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"
        for inner in ast.walk(node)
    }
    for node in ast.walk(tree):
        if node in for_types:
            continue  # a name for the type checker is no import
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert 0 == node.level, f"{path}: a relative import hides which way it points"
            names |= {f"{node.module}.{alias.name}" for alias in node.names} if node.module == "ballot" else {str(node.module)}
    return names


@pytest.mark.parametrize("folder", MAY)
def test_imports_point_one_way(folder: str) -> None:
    allowed = MAY[folder] | {"errors", folder}
    for path in modules(folder):
        ours = {name.split(".")[1] for name in imports(path) if name.startswith("ballot.")}
        assert set() == ours - allowed, path


@pytest.mark.parametrize("folder", PURE)
def test_the_pure_parts_know_no_clock_disk_network_or_web(folder: str) -> None:
    for path in modules(folder):
        assert set() == {name.split(".")[0] for name in imports(path)} & IMPURE, path


def test_nothing_that_the_verifier_imports_makes_proofs() -> None:
    makers = {
        "gen_shuffle",
        "gen_shuffle_proof",
        "shuffle_tally",
        "gen_partial_decryption",
        "gen_companion",
        "create_ballot",
        "prove_exponent",
        "prove_possession",
        "iprove",
        "prove_raweg",
    }
    for path in modules("verifier"):
        names = {node.id for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Name)}
        assert set() == names & makers, path


def test_no_check_is_an_assert() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        found = [node.lineno for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))) if isinstance(node, ast.Assert)]
        assert [] == found, f"{path}: python -O would take these checks out"


def test_every_exception_class_stands_in_one_file() -> None:
    for path in sorted(PACKAGE.rglob("*.py")):
        if path.name == "errors.py" and path.parent == PACKAGE:
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ClassDef):
                bases = {ast.unparse(base) for base in node.bases}
                assert not any(base.endswith(("Error", "Exception")) for base in bases), f"{path}:{node.lineno}"
