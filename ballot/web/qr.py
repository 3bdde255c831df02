"""Square codes, for phones' cameras."""

from __future__ import annotations

import io

import segno
from markupsafe import Markup


def qr_svg(text: str) -> Markup:
    """The text as a QR code to put into a page: an SVG without a style attribute. The text itself is not in the markup."""
    out = io.BytesIO()
    segno.make(text, error="m", micro=False).save(
        out, kind="svg", xmldecl=False, svgns=True, nl=False, omitsize=True, svgclass="qr", lineclass=None, border=3
    )
    return Markup(out.getvalue().decode())  # noqa: S704  drawn by segno from modules, no text of ours is in it
