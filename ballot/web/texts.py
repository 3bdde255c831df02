"""The texts from which a page's script draws its screens: a tree of them that comes with the page, taken from the catalogue.

A name in braces is filled in. Where a "|" stands, what follows is heard by a screen reader and not seen, until the next "|".
`static/booth/texts.js` reads the tree; it makes a function of each text that has something to fill in, or that counts something.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Final

from ballot.language import LANGUAGES, N_, nN_, plurals, tag, translated

TIMES: Final[Mapping[str, Any]] = {
    # Translators: as the days stand inside "when", from Sunday on, each ending with a comma but the last.
    "weekdays": N_("Sunday, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday"),
    "months": N_("January, February, March, April, May, June, July, August, September, October, November, December"),
    # Translators: {hour} is one of the next four texts.
    "when": N_("{weekday} {day} {month} {year} at {hour} (UK time)"),
    # Translators: {clock} is there too, such as 17.30, for languages that count 24 hours.
    "morning": N_("{hour}am"),
    "afternoon": N_("{hour}pm"),
    "noon": N_("noon"),
    "midnight": N_("midnight"),
    "seconds": nN_("{count} second", "{count} seconds"),
    "minutes": nN_("{count} minute", "{count} minutes"),
}


def for_script(texts: Mapping[str, Any], languages: Iterable[str]) -> dict[str, Any]:
    """What the script of a page needs to speak these languages."""
    return {
        language: {"name": LANGUAGES[language], "tag": tag(language), "plurals": plurals(language), "texts": translated(texts, language)}
        for language in languages
    }
