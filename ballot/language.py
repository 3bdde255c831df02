"""The languages of the site: one catalogue each, a gettext PO file beside the others in `languages/`.

English is the text in the sources, marked with `_` where it is used and `N_`, `nN_` where it is only written down. Another
language is one more PO file and one more line in `LANGUAGES`. The files are read as they stand: nothing has to be compiled.
`python -m ballot.language` brings them up to date with the sources; what is new is then empty and waits for its translation.

What Python says on a page or in a mail is a `Text`, made by `phrase` or `phrases`: English for every program, and in the reader's
language where it is put into HTML. English alone, by decision, are: what is part of a record or of a report that is compared byte
for byte (`protocol`, `count`, `verifier`, the journal), what is stored, JSON, and what the host reads (commands, logs, settings).
"""

from __future__ import annotations

import gettext
import io
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from enum import StrEnum
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, NamedTuple, Self

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po, write_po
from markupsafe import escape

ENGLISH: Final = "en"
LANGUAGES: Final = {ENGLISH: "English", "cy": "Cymraeg"}  # each by its own name
TAGS: Final = {ENGLISH: "en-GB"}  # what a page's `lang` says where it is more than the language
FOLDER: Final = Path(__file__).parent / "languages"
KEYWORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("_", "N_", "gettext", "phrase")),
    **dict.fromkeys(("nN_", "ngettext", "phrases"), (1, 2)),
    "pgettext": ((1, "c"), 2),  # a word that means two things: which of them, then the word
}
METHODS: Final = [("ballot/**.py", "python"), ("templates/**.html", "jinja2"), ("templates/**.txt", "jinja2")]
PLURALS: Final = 200  # every language's plural repeats itself by hundreds
READER: Final[ContextVar[str]] = ContextVar("language", default=ENGLISH)  # the language of the page that is being made


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


class Text(str):
    """A text in English that can be said in another language, with the values that fill its names in braces.

    It is a string like any other, and stays English in a log, in JSON and in the database; joined to another string or formatted
    it becomes plain English. Only `__html__`, which templates and forms call, and `shown` give it in the reader's language.
    """

    __slots__ = ("source", "values")
    source: str | Plural
    values: Mapping[str, object]

    def __new__(cls, english: str, source: str | Plural = "", values: Mapping[str, object] | None = None) -> Self:
        """Without a source: a text that was stored, or came from a list, and is marked somewhere else."""
        made = super().__new__(cls, english)
        made.source, made.values = source or str.__str__(made), values or {}
        return made

    def __str__(self) -> str:
        """Itself, so that the text of an error is still one that can be translated."""
        return self

    def __html__(self) -> str:
        """For HTML, escaped, in the reader's language."""
        return escape(shown(self))

    def in_language(self, language: str) -> str:
        """As it is said there; English where it has no translation."""
        if language == ENGLISH:
            return str.__str__(self)
        speak, source = translations(language), self.source
        if isinstance(source, Plural):
            said = speak.ngettext(source.one, source.many, int(str(self.values["count"])))
        else:
            said = speak.gettext(source) if source else ""  # the empty text is the catalogue's own heading
        return said.format(**{name: in_language(value, language) for name, value in self.values.items()}) if self.values else said


class TextEnum(StrEnum):
    """A list of words, each marked with `N_`, that are shown by themselves."""

    def __html__(self) -> str:
        """As a `Text`."""
        return escape(shown(self))


def phrase(text: str, /, **values: object) -> Text:
    """A text of ours with values for its names in braces. A text is one whole sentence where that can be, for its order may change."""
    return Text(text.format(**values), text, values) if values else _bare(text)


@lru_cache(maxsize=4096)
def _bare(text: str) -> Text:
    """One object for each text that fills nothing in: a list of members may have a hundred thousand of them."""
    return Text(text)


def phrases(one: str, many: str, count: int, /, **values: object) -> Text:
    """A text that counts something: `one` where the count is 1. It may show it as `{count}`, or `{count:,}`."""
    values["count"] = count
    return Text((one if count == 1 else many).format(**values), Plural(one, many), values)


def joined(parts: Sequence[str], separator: str = " ") -> Text:
    """Whole sentences, or the items of a list, one after another."""
    values = {f"part{number}": part for number, part in enumerate(parts)}
    return phrase(separator.join(f"{{{name}}}" for name in values), **values)


AND: Final = N_("{items} and {last}")
OR: Final = N_("{items} or {last}")


def listing(parts: Sequence[str], words: str = AND) -> Text:
    """“a, b and c”."""
    if len(parts) < 2:
        return joined(parts)
    return phrase(words, items=joined(parts[:-1], ", "), last=parts[-1])


def in_language(value: object, language: str) -> object:
    """A value as it is said in a language: a text translated, anything else as it is."""
    if isinstance(value, TextEnum):
        value = Text(value)
    return value.in_language(language) if isinstance(value, Text) else value


def shown(text: object) -> str:
    """A text as the reader of the page reads it, as a plain string."""
    said = in_language(text, READER.get())
    return said if isinstance(said, str) else str(said)


@contextmanager
def reading(language: str) -> Iterator[None]:
    """What is written in here is for a reader of this language."""
    before = READER.set(language)
    try:
        yield
    finally:
        READER.reset(before)


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
