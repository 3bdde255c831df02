"""The one stylesheet: small, and nothing in it that no page uses."""

from __future__ import annotations

import re

import pytest

from tests.support.need import ROOT

SHEET = ROOT / "ballot" / "web" / "static" / "style.css"
LIMIT = 10_000  # bytes, as served without compression


def rules(sheet: str) -> list[str]:
    """What stands before each brace: selectors, and the conditions of media queries."""
    bare = re.sub(r"/\*.*?\*/", "", sheet, flags=re.DOTALL)
    return [before.strip() for before in re.findall(r"([^{}]+)\{", bare)]


def classes(sheet: str) -> set[str]:
    return {name for before in rules(sheet) if not before.startswith("@") for name in re.findall(r"\.([a-z][\w-]*)", before)}


def where_classes_are_written() -> str:
    """Every page, and every script and module that makes part of one."""
    places = ["templates/**/*.html", "ballot/web/static/*/*.js", "ballot/web/**/*.py", "ballot/count/draw/*.py"]
    return "\n".join(path.read_text(encoding="utf-8") for place in places for path in sorted(ROOT.glob(place)) if "dist" not in path.parts)


def test_the_stylesheet_stays_small() -> None:
    assert len(SHEET.read_bytes()) <= LIMIT


def test_every_class_of_the_stylesheet_is_used() -> None:
    written = where_classes_are_written()
    unused = [
        name for name in sorted(classes(SHEET.read_text("utf-8"))) if not re.search(rf"(?<![\w-]){re.escape(name)}(?![\w-])", written)
    ]
    assert [] == unused


def test_every_custom_property_is_used() -> None:
    sheet = SHEET.read_text(encoding="utf-8")
    assert set(re.findall(r"(--[\w-]+):", sheet)) == set(re.findall(r"var\((--[\w-]+)\)", sheet))


@pytest.mark.parametrize(
    ("text", "found"), [(".a, .b-c:is(.d) > p { x: y; }", {"a", "b-c", "d"}), ("@media (min-width: .5rem) { p { x: y; } }", set())]
)
def test_classes_are_read_from_selectors_alone(text: str, found: set[str]) -> None:
    assert found == classes(text)
