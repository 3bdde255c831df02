"""Which language a page is in: the one asked for with `?lang=`, or else what the browser prefers, where the page has it.

Nothing is remembered. Pages that are not translated stay English, and say so in their `lang`.
"""

from __future__ import annotations

from flask import Flask, request

from ballot.language import ENGLISH, LANGUAGES, READER, tag, translations


def choose() -> str:
    """The language of this request, for a page that is there in every language. From now on the page's frame is in it too."""
    asked = request.args.get("lang", "")
    READER.set(asked if asked in LANGUAGES else request.accept_languages.best_match(list(LANGUAGES), ENGLISH))
    return current()


def current() -> str:
    """The language of the page that is being made."""
    return READER.get()


def _gettext(text: str) -> str:
    return translations(current()).gettext(text)


def _ngettext(one: str, many: str, number: int) -> str:
    return translations(current()).ngettext(one, many, number)


def _pgettext(meaning: str, text: str) -> str:
    return translations(current()).pgettext(meaning, text)


def _forget(_error: BaseException | None) -> None:
    """The thread that answers goes on to the next request."""
    READER.set(ENGLISH)


def install(app: Flask) -> None:
    app.teardown_request(_forget)
    app.jinja_env.add_extension("jinja2.ext.i18n")
    app.jinja_env.install_gettext_callables(_gettext, _ngettext, newstyle=True, pgettext=_pgettext)  # type: ignore[attr-defined]
    app.jinja_env.globals.update(page_language=lambda: tag(current()), languages=LANGUAGES)
