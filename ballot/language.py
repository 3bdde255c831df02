"""The languages of the site: one catalogue each, a gettext PO file beside the others in `languages/`.

English is the text in the sources, marked with `_` where it is used and `N_`, `nN_` where it is only written down. Another
language is one more PO file and one more line in `LANGUAGES`. The files are read as they stand: nothing has to be compiled.
`python -m ballot.language` brings them up to date with the sources; what is new is then empty and waits for its translation.
"""

from __future__ import annotations

import gettext
import io
import sys
from collections.abc import Mapping
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po

ENGLISH: Final = "en"
LANGUAGES: Final = {ENGLISH: "English", "cy": "Cymraeg"}  # each by its own name
TAGS: Final = {ENGLISH: "en-GB"}  # what a page's `lang` says where it is more than the language
FOLDER: Final = Path(__file__).parent / "languages"
KEYWORDS: Final[dict[str, Any]] = {"_": None, "N_": None, "gettext": None, "nN_": (1, 2), "ngettext": (1, 2)}
METHODS: Final = [("ballot/**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")]
PLURALS: Final = 200  # every language's plural repeats itself by hundreds


class Plural(NamedTuple):
    """A text with `{count}` in it: for one, and for more."""

    one: str
    many: str


def N_(text: str) -> str:  # noqa: N802 - gettext's customary name
    """A text that is translated where it is shown."""
    return text


def nN_(one: str, many: str) -> Plural:  # noqa: N802 - as N_
    """A text that counts something, translated where it is shown."""
    return Plural(one, many)


def tag(language: str) -> str:
    """The value of a `lang` attribute."""
    return TAGS.get(language, language)


def read_catalogue(language: str) -> Catalog:
    """The PO file of a language other than English."""
    with (FOLDER / f"{language}.po").open("rb") as file:
        return read_po(file, locale=language)


@lru_cache
def translations(language: str) -> gettext.NullTranslations:
    """What translates; a text without a translation stays English."""
    if language == ENGLISH:
        return gettext.NullTranslations()
    compiled = io.BytesIO()
    write_mo(compiled, read_catalogue(language))
    compiled.seek(0)
    return gettext.GNUTranslations(compiled)


@lru_cache
def plurals(language: str) -> str:
    """Which plural form each number takes, from 0 on: one digit a number, and from 100 on it repeats."""
    rule = gettext.c2py("n != 1" if language == ENGLISH else read_catalogue(language).plural_expr)
    return "".join(str(int(rule(number))) for number in range(PLURALS))


def forms(plural: Plural, language: str) -> list[str]:
    """The plural forms of a text, in the order of the language's rule."""
    if language == ENGLISH:
        return [plural.one, plural.many]
    rule, speak = plurals(language), translations(language).ngettext
    return [speak(plural.one, plural.many, rule.index(str(form))) for form in range(max(map(int, rule)) + 1)]


def translated(texts: Mapping[str, Any], language: str) -> dict[str, Any]:
    """A tree of texts in this language: a plural becomes the list of its forms."""
    speak = translations(language).gettext

    def one(value: Any) -> Any:
        if isinstance(value, Plural):
            return forms(value, language)
        return speak(value) if isinstance(value, str) else translated(value, language)

    return {key: one(value) for key, value in texts.items()}


def extract(root: Path) -> Catalog:
    """Every marked text of the sources below this folder."""
    catalog = Catalog(project="ballot", charset="utf-8")
    options = {pattern: {"newstyle_gettext": "true"} for pattern, method in METHODS if method == "jinja2"}
    found = extract_from_dir(root, METHODS, options, KEYWORDS, comment_tags=("Translators:",), strip_comment_tags=True)
    for file, _line, message, comments, context in sorted(found, key=lambda item: (item[0], item[1])):
        catalog.add(message, locations=[(Path(file).as_posix(), 1)], auto_comments=comments, context=context)
    return catalog


def update(language: str, template: Catalog) -> None:
    """The PO file holds exactly the template's texts; translations that are still of use stay."""
    catalog = read_catalogue(language)
    catalog.update(template, no_fuzzy_matching=True, update_creation_date=False)
    catalog.obsolete.clear()
    with (FOLDER / f"{language}.po").open("wb") as file:
        write_po(file, catalog, width=120, omit_header=False, include_lineno=False, sort_by_file=True)


def main() -> int:
    """Bring every PO file up to date, and say what waits for translation."""
    template = extract(Path(__file__).parents[1])
    for language in LANGUAGES:
        if language != ENGLISH:
            update(language, template)
            empty = [message for message in read_catalogue(language) if message.id and not all([message.string].pop() or [""])]
            print(f"{LANGUAGES[language]}: {len(empty)} texts wait for their translation")  # noqa: T201 - a command speaks to its caller
    return 0


if __name__ == "__main__":
    sys.exit(main())
