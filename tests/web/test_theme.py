"""The organisation's logo and colour."""

from __future__ import annotations

import struct
import urllib.error
import urllib.request
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballot.app import create_app
from ballot.config import Config
from ballot.errors import ConfigurationError
from ballot.web import theme
from tests.support.need import ROOT
from tests.support.site import Site

SVG = (
    b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 90 30"><defs><path id="p" d="M0 0h30v30H0z"/></defs>'
    b'<use href="#p" fill="#c00"/></svg>'
)


def png(width: int, height: int) -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    rows = b"".join(b"\x00" + b"\xc0\x00\x00" * width for _ in range(height))
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


# --- the colour ----------------------------------------------------------------------------------------------------


def test_contrast_is_that_of_the_guidelines() -> None:
    assert 21 == round(theme.contrast(theme.BLACK, theme.WHITE), 6)
    assert 1 == theme.contrast((9, 9, 9), (9, 9, 9))
    assert 4.54 == round(theme.contrast(theme.parse_colour("#767676"), theme.WHITE), 2)  # the lightest grey that passes on white


@given(st.tuples(*[st.integers(0, 255)] * 3))
def test_whatever_the_colour_everything_can_be_read(colour: theme.Colour) -> None:
    for accent, grounds in (
        (theme.light(colour), (theme.LIGHT_PAPER, theme.LIGHT_CARD)),
        (theme.dark(colour), (theme.DARK_PAPER, theme.DARK_CARD)),
    ):
        assert min(theme.contrast(accent.accent, ground) for ground in (*grounds, accent.wash, accent.on_accent)) >= 4.5


def test_a_colour_that_can_be_read_stays_as_it_is() -> None:
    assert "#7b1e3a" == theme.written(theme.light(theme.parse_colour("#7b1e3a")).accent)
    assert "#ffd700" != theme.written(theme.light(theme.parse_colour("#ffd700")).accent)
    assert "#ffd700" == theme.written(theme.dark(theme.parse_colour("#ffd700")).accent)


def test_the_grounds_are_those_of_the_stylesheet() -> None:
    sheet = (ROOT / "ballot" / "web" / "static" / "style.css").read_text(encoding="utf-8")
    light, dark = sheet.split("prefers-color-scheme: dark")[:2]
    assert f"--paper: {theme.written(theme.LIGHT_PAPER)}; --card: #fff;" in light
    assert f"--paper: {theme.written(theme.DARK_PAPER)}; --card: {theme.written(theme.DARK_CARD)};" in dark


@pytest.mark.parametrize("text", ["red", "#fff", "17594a", "#17594g", "#17594a; } body { display: none"])
def test_what_is_no_colour_is_refused_at_the_start(tmp_path: Path, text: str) -> None:
    config = Config.from_environ(
        {"BALLOT_DEVELOPMENT": "1", "BALLOT_COLOUR": text, "BALLOT_KEYS": str(tmp_path / "k"), "BALLOT_DATA": str(tmp_path)}
    )
    with pytest.raises(ConfigurationError, match="BALLOT_COLOUR is"):
        create_app(config)


# --- the logo ------------------------------------------------------------------------------------------------------

REFUSED = {
    "a script": (b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><script>alert(1)</script></svg>', "a part <script>"),
    "a handler": (b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1" onload="alert(1)"/>', "a handler onload"),
    "a page": (b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><foreignObject/></svg>', "a part <foreignobject>"),
    "a link": (b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><use href="https://x.example/a#b"/></svg>', "outside"),
    "an old link": (
        b'<svg xmlns="http://www.w3.org/2000/svg" xmlns:x="http://www.w3.org/1999/xlink" viewBox="0 0 1 1"><use x:href="a.svg"/></svg>',
        "outside",
    ),
    "a paint elsewhere": (b'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1"><g fill="url(http://x)"/></svg>', "outside"),
    "a billion laughs": (
        b'<!DOCTYPE svg [<!ENTITY a "b">]><svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1 1">&a;</svg>',
        "document type",
    ),
    "no size": (b'<svg xmlns="http://www.w3.org/2000/svg"/>', "tells its size"),
    "another root": (b"<html><svg viewBox='0 0 1 1'/></html>", "tells its size"),
    "half a file": (SVG[:-5], "not well formed"),
    "too large": (SVG + b" " * theme.LARGEST_LOGO, "the most that pages should load"),
    "a wide PNG": (png(2001, 1), "2001 by 1 pixels"),
    "half a PNG": (png(3, 3)[:30], "damaged"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_logo_that_does_more_than_show_is_refused(tmp_path: Path, what: str) -> None:
    content, why = REFUSED[what]
    (tmp_path / "logo.svg").write_bytes(content)
    with pytest.raises(ConfigurationError, match=why):
        theme.read_logo(tmp_path / "logo.svg")


def test_another_file_is_no_logo(tmp_path: Path) -> None:
    (tmp_path / "logo.jpg").write_bytes(b"\xff\xd8\xff")
    with pytest.raises(ConfigurationError, match="neither a PNG nor an SVG"):
        theme.read_logo(tmp_path / "logo.jpg")
    with pytest.raises(ConfigurationError, match="cannot be read"):
        theme.read_logo(tmp_path / "none.svg")


@pytest.mark.parametrize(("name", "content", "kind"), [("logo.svg", SVG, "image/svg+xml"), ("logo.png", png(4, 2), "image/png")])
def test_logo_and_colour_are_served_from_our_own_address(
    new_site: Callable[..., Site], tmp_path: Path, name: str, content: bytes, kind: str
) -> None:
    (tmp_path / name).write_bytes(content)
    site = new_site(BALLOT_LOGO=str(tmp_path / name), BALLOT_COLOUR="#ffd700")
    page = urllib.request.urlopen(site.url).read().decode()
    logo, sheet = (part.split('"')[0] for part in (page.split('class="logo" src="')[1], page.split('href="/theme.css')[1]))
    with urllib.request.urlopen(site.url + logo) as answer:
        assert (content, kind) == (answer.read(), answer.headers["Content-Type"])
        assert "sandbox" in answer.headers["Content-Security-Policy"]
        assert "script" not in answer.headers["Content-Security-Policy"]
        assert "nosniff" == answer.headers["X-Content-Type-Options"]
    with urllib.request.urlopen(f"{site.url}/theme.css{sheet}") as answer:
        assert "text/css; charset=utf-8" == answer.headers["Content-Type"]
        assert b"prefers-color-scheme: dark" in answer.read()
        assert "script-src 'self'" in answer.headers["Content-Security-Policy"]


def test_without_settings_there_is_neither(new_site: Callable[..., Site]) -> None:
    site = new_site()
    assert "theme.css" not in urllib.request.urlopen(site.url).read().decode()
    for path in ("/theme.css", "/logo"):
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            urllib.request.urlopen(site.url + path)
        refused.value.close()
