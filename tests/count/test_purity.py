"""`ballot.count` imports the standard library and `ballot.errors` only, and nothing that knows a clock, luck or the world."""

from __future__ import annotations

import ast
import sys
from pathlib import Path

FOLDER = Path(__file__).parent.parent.parent / "ballot" / "count"
WORLDLY = {
    "os",
    "sys",
    "time",
    "datetime",
    "random",
    "secrets",
    "socket",
    "logging",
    "pathlib",
    "subprocess",
    "locale",
    "decimal",
    "math.float",
}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            found.add(node.module or "")
    return found


def test_imports() -> None:
    for path in FOLDER.rglob("*.py"):
        for name in imports(path):
            top = name.split(".")[0]
            if top == "ballot":
                assert name.startswith("ballot.count") or name == "ballot.errors", (path.name, name)
            else:
                assert top in sys.stdlib_module_names, (path.name, name)
                assert top not in WORLDLY, (path.name, name)


def test_no_floats() -> None:
    for path in FOLDER.rglob("*.py"):
        if "draw" in path.parts:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            assert not (isinstance(node, ast.Constant) and isinstance(node.value, float)), path.name
            assert not (isinstance(node, ast.BinOp) and isinstance(node.op, ast.Div) and path.name not in {"meek.py", "constraints.py"}), (
                path.name
            )
            assert not (isinstance(node, ast.Name) and node.id == "float"), path.name


def test_rules_import_no_other_rule() -> None:
    for path in (FOLDER / "rules").glob("*.py"):
        assert not [name for name in imports(path) if name.startswith("ballot.count.rules")]
