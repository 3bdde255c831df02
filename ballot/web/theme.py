"""The organisation's own logo and colour, from the settings; looked at once, when the site starts.

A colour is taken as it is where it can be read, and made darker (on light pages) or lighter (on dark ones) where it cannot: WCAG 2.2 asks
for a contrast of 4.5. The logo is a file of this machine, served from our own address as a picture that can run nothing.
"""

from __future__ import annotations

import hashlib
import re
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from xml.parsers import expat

from flask import Blueprint, Flask, Response, abort, current_app

from ballot.config import Config
from ballot.errors import ConfigurationError
from ballot.web.access import Role, open_to
from ballot.web.build import integrity

bp = Blueprint("theme", __name__)

Colour = tuple[int, int, int]

CONTRAST: Final = 5.0  # a little more than 4.5: a button under the pointer is a little lighter
WHITE, BLACK = (255, 255, 255), (0, 0, 0)
# The grounds of style.css that the colour is read on, and what is written on the colour itself.
LIGHT_PAPER, LIGHT_CARD = (0xFB, 0xFA, 0xF7), WHITE
DARK_PAPER, DARK_CARD, DARK_INK = (0x15, 0x19, 0x1B), (0x1D, 0x23, 0x26), (0x0D, 0x14, 0x16)
LARGEST_LOGO: Final = 100_000  # bytes
WIDEST_LOGO: Final = 2_000  # pixels
NOT_IN_A_LOGO: Final = frozenset({"script", "foreignobject", "iframe", "object", "embed", "image", "a", "handler", "set"})


# --- the colour ----------------------------------------------------------------------------------------------------


def parse_colour(text: str) -> Colour:
    """`#rrggbb`. Raises: ConfigurationError."""
    if not re.fullmatch(r"#[0-9A-Fa-f]{6}", text):
        raise ConfigurationError(f"BALLOT_COLOUR is {text!r}: write a colour as # and six digits, such as #17594a.")
    return int(text[1:3], 16), int(text[3:5], 16), int(text[5:7], 16)


def luminance(colour: Colour) -> float:
    """WCAG 2.2, relative luminance."""
    red, green, blue = (part / 255 for part in colour)
    linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in (red, green, blue)]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def contrast(one: Colour, other: Colour) -> float:
    """WCAG 2.2, contrast ratio: 1 to 21."""
    dark, light = sorted((luminance(one), luminance(other)))
    return (light + 0.05) / (dark + 0.05)


def mix(colour: Colour, other: Colour, part: float) -> Colour:
    """So large a part of the other colour."""
    red, green, blue = (round(a + (b - a) * part) for a, b in zip(colour, other, strict=True))
    return red, green, blue


def written(colour: Colour) -> str:
    return "#{:02x}{:02x}{:02x}".format(*colour)


@dataclass(frozen=True)
class Accent:
    """The colour as one scheme uses it: for links and buttons, for what is written on them, and for a quiet ground."""

    accent: Colour
    on_accent: Colour
    wash: Colour

    def css(self) -> str:
        return f"--accent: {written(self.accent)}; --on-accent: {written(self.on_accent)}; --wash: {written(self.wash)};"


def _fit(colour: Colour, towards: Colour, on_accent: Colour, grounds: tuple[Colour, Colour], wash_part: float) -> Accent:
    """The colour itself, or the nearest to it on the way to black or white that can be read everywhere."""
    for step in range(51):
        accent = mix(colour, towards, step / 50)
        wash = mix(grounds[1], accent, wash_part)
        if all(contrast(accent, ground) >= CONTRAST for ground in (*grounds, wash, on_accent)):
            break
    return Accent(accent, on_accent, wash)


def light(colour: Colour) -> Accent:
    return _fit(colour, BLACK, WHITE, (LIGHT_PAPER, LIGHT_CARD), 0.1)


def dark(colour: Colour) -> Accent:
    return _fit(colour, WHITE, DARK_INK, (DARK_PAPER, DARK_CARD), 0.15)


def stylesheet(colour: Colour) -> str:
    """What is different from style.css, which is loaded before."""
    return (
        f":root {{ {light(colour).css()} }}\n"
        f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {dark(colour).css()} }} }}\n"
        "@media print { :root { --wash: #fff; } }\n"
    )


# --- the logo ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Logo:
    """A picture and what kind it is."""

    content: bytes
    kind: str


def read_logo(path: Path) -> Logo:
    """The file, if it is a small PNG or SVG picture that does nothing. Raises: ConfigurationError."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise ConfigurationError(f"BALLOT_LOGO names {path}, which cannot be read: {error.strerror}.") from error
    if len(content) > LARGEST_LOGO:
        raise ConfigurationError(f"BALLOT_LOGO names a picture of {len(content)} bytes: {LARGEST_LOGO} is the most that pages should load.")
    if content.startswith(b"\x89PNG\r\n\x1a\n"):
        return Logo(_check_png(content), "image/png")
    if path.suffix.lower() == ".svg":
        return Logo(_check_svg(content), "image/svg+xml")
    raise ConfigurationError(f"BALLOT_LOGO names {path}, which is neither a PNG nor an SVG picture.")


def _check_png(content: bytes) -> bytes:
    if content[12:16] != b"IHDR" or len(content) < 33:
        raise ConfigurationError("BALLOT_LOGO: the PNG picture is damaged.")
    width, height = struct.unpack(">II", content[16:24])
    if not (0 < width <= WIDEST_LOGO and 0 < height <= WIDEST_LOGO):
        raise ConfigurationError(f"BALLOT_LOGO: the picture is {width} by {height} pixels; {WIDEST_LOGO} is the most each way.")
    return content


def _check_svg(content: bytes) -> bytes:
    names: list[str] = []

    def refuse(what: str) -> None:
        raise ConfigurationError(f"BALLOT_LOGO: the SVG picture has {what}. Save it as a plain SVG, or as a PNG.")

    def start(name: str, attributes: dict[str, str]) -> None:
        local = name.rpartition(":")[2].lower()
        if not names and (local != "svg" or not ("viewBox" in attributes or {"width", "height"} <= attributes.keys())):
            refuse("no outermost <svg> that tells its size")
        names.append(local)
        if local in NOT_IN_A_LOGO or local.startswith("animate"):
            refuse(f"a part <{local}>")
        for attribute, value in attributes.items():
            key = attribute.rpartition(":")[2].lower()
            if key.startswith("on"):
                refuse(f"a handler {attribute}")
            if (key in {"href", "src"} and not value.strip().startswith("#")) or re.search(r"url\(\s*['\"]?(?!#)", value):
                refuse("a link to something outside")

    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = lambda *_: refuse("a document type declaration")
    parser.StartElementHandler = start
    try:
        parser.Parse(content, True)
    except expat.ExpatError as error:
        raise ConfigurationError("BALLOT_LOGO: the SVG picture is not well formed.") from error
    return content


# --- the site ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Theme:
    """What the organisation set, ready to be served; empty where it set nothing."""

    css: bytes = b""
    logo: Logo | None = None

    @property
    def css_address(self) -> str:
        return f"/theme.css?v={hashlib.sha256(self.css).hexdigest()[:12]}"

    @property
    def css_integrity(self) -> str:
        return integrity(self.css)

    @property
    def logo_address(self) -> str:
        return f"/logo?v={hashlib.sha256(self.logo.content).hexdigest()[:12]}" if self.logo else ""


def theme_of(config: Config) -> Theme:
    """Raises: ConfigurationError: the colour is none, or the logo is no harmless picture."""
    css = stylesheet(parse_colour(config.colour)).encode() if config.colour else b""
    return Theme(css, read_logo(config.logo) if config.logo else None)


def install(app: Flask, config: Config) -> None:
    app.extensions["ballot-theme"] = app.jinja_env.globals["theme"] = theme_of(config)


def _served(content: bytes, kind: str) -> Response:
    response = Response(content, content_type=kind)
    response.headers["Cache-Control"] = "public, max-age=31536000, immutable"  # the address changes with the content
    return response


@bp.get("/theme.css")
@open_to(Role.PUBLIC)
def css() -> Response:
    """The organisation's colour."""
    theme: Theme = current_app.extensions["ballot-theme"]
    return _served(theme.css, "text/css; charset=utf-8") if theme.css else abort(404)


@bp.get("/logo")
@open_to(Role.PUBLIC)
def logo() -> Response:
    """The organisation's logo. Opened by itself it may load and run nothing."""
    theme: Theme = current_app.extensions["ballot-theme"]
    if theme.logo is None:
        abort(404)
    response = _served(theme.logo.content, theme.logo.kind)
    response.headers["Content-Security-Policy"] = "default-src 'none'; style-src 'unsafe-inline'; sandbox; frame-ancestors 'none'"
    return response
