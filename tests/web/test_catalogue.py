"""Every text of every template is in the catalogue: none stands outside of the marks, and the catalogue is what the sources say."""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Iterator
from html.parser import HTMLParser
from itertools import chain
from pathlib import Path

import pytest
from babel.messages.pofile import write_po
from flask import Flask
from jinja2 import nodes
from sqlmodel import select
from werkzeug.test import TestResponse

from ballot import language
from ballot.app import Site
from ballot.count import RULES
from ballot.language import ENGLISH, LANGUAGES, extract, read_catalogue
from ballot.models import RollEntry
from tests.support.need import ROOT
from tests.web.conftest import Visitor
from tests.web.test_journey import freeze, make_ballot, make_meeting, upload

TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.is_file())
OTHERS = [language for language in LANGUAGES if language != ENGLISH]
MARKS = {"_", "gettext", "ngettext", "pgettext"}
ALOUD = {"aria-label", "aria-description", "title", "alt", "placeholder", "label"}
SILENT = {"code", "script", "style", "template", "textarea"}  # commands are the same in every language
WORDS = re.compile(r"[A-Za-z]{2}")
SENTENCE = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}|^[A-Z][a-z]+[ .:!?]|^[A-Z][a-z]{2,}$")  # and not a name for programs


class Page(HTMLParser):
    """The words of a page: its text, and the attributes that are read aloud or shown. What was typed or is a code is none."""

    def __init__(self, page: str, rooms: Container[str] = ()) -> None:
        super().__init__()
        self.said: list[str] = []
        self._rooms, self._inside, self._silent = rooms, not rooms, list[str]()
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self._inside = self._inside or tag in self._rooms
        self._note(*(text or "" for name, text in attrs if name in ALOUD or (name.startswith("data-") and SENTENCE.search(text or ""))))
        if self._silent[:1] == [tag] or (not self._silent and (tag in SILENT or self._is_code(tag, found))):
            self._silent.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if self._silent[:1] == [tag]:
            self._silent.pop()
        self._inside = self._inside and tag not in self._rooms

    def handle_data(self, data: str) -> None:
        self._note(data)

    def _note(self, *texts: str) -> None:
        if self._inside and not self._silent:
            self.said += [" ".join(text.split()) for text in texts]

    def _is_code(self, tag: str, found: dict[str, str | None]) -> bool:
        return tag not in {"html", "input"} and ("lang" in found or "code" in (found.get("class") or "").split())


def shown(expression: nodes.Node) -> Iterator[str]:
    """The strings that an expression of a template may put on the page by itself, without the marked ones."""
    match expression:
        case nodes.Const(value=str(text)) | nodes.TemplateData(data=text):
            yield text
        case nodes.Call(node=nodes.Name(name=name)) if name in MARKS:
            yield from of(keyword.value for keyword in expression.kwargs)
        case nodes.Call():
            others = (keyword.value for keyword in expression.kwargs if keyword.key != "class")
            yield from filter(SENTENCE.search, of([*expression.args, *others]))
        case nodes.CondExpr():
            yield from of(expression.iter_child_nodes(exclude=("test",)))
        case nodes.Getitem(node=nodes.Dict() as choice):
            yield from of(pair.value for pair in choice.items)
        case nodes.Filter():
            yield from of(expression.iter_child_nodes(only=("node",) if expression.name == "map" else ("node", "args")))
        case nodes.Or() | nodes.And() | nodes.Concat() | nodes.Add() | nodes.Tuple() | nodes.List():
            yield from of(expression.iter_child_nodes())


def of(expressions: Iterable[nodes.Node]) -> Iterator[str]:
    return chain.from_iterable(map(shown, expressions))


def outside(node: nodes.Node) -> Iterator[str]:
    """A template as a page without the marked texts, with each branch that may be taken."""
    match node:
        case nodes.Output():
            yield from of(node.nodes)
        case nodes.Assign(node=value) | nodes.For(iter=value):
            yield from filter(SENTENCE.search, shown(value))
    for child in node.iter_child_nodes():
        if isinstance(child, nodes.Stmt):
            yield from outside(child)


def words_outside(tree: nodes.Template, *, html: bool = True) -> list[str]:
    page = "".join(outside(tree))
    return [text for text in (Page(page).said if html else page.splitlines()) if WORDS.search(text)]


def test_words_outside_of_the_catalogue_are_found(app: Flask) -> None:
    """One, two and so on are words of a page that are not marked; the others are marked, or no words of the page."""
    source = """<p class="lead">one <a href="/page" title="two">{{ "three" if here else _("marked") }}</a> {% trans %}marked{% endtrans %}
        {% set both = {"key": ("Four words", _("marked"))}[key] %}{% if key == "no word" %}{{ name or " five" }} {% else %}six{% endif %}
        {{ field("seven words", class="short code") }} {% trans more="eight" if many else _("marked") %}{{ more }} texts{% endtrans %}
        <code data-text="nine words">no word</code>
        {{ "nine: " ~ number }} {{ number|count_of("ten") }} {{ "eleven"|mail_state }}{{ found|map("name") }}</p>"""
    found = " ".join(words_outside(app.jinja_env.parse(source)))
    assert "one two three Four words five six seven words eight nine words nine: ten eleven" == found


def test_no_template_has_words_outside_of_the_catalogue(app: Flask) -> None:
    """Nor a variable that hides the function that translates; and each can be compiled and is one where texts are looked for."""
    left: dict[str, list[str]] = {}
    for path in TEMPLATES:
        name = path.relative_to(ROOT / "templates").as_posix()
        tree = app.jinja_env.parse(path.read_text(encoding="utf-8"), name)
        app.jinja_env.compile(tree, name)
        assert path.suffix in {".html", ".txt"}, name
        assert not [found for found in tree.find_all(nodes.Name) if found.ctx != "load" and found.name in MARKS], name
        if found := words_outside(tree, html=path.suffix == ".html"):
            left[name] = found
    assert {"form.html": ["-hint -error"]} == left, "names of elements in a macro of their own, and nothing else"


def test_every_catalogue_has_the_marked_texts_and_no_other() -> None:
    """Or else: python -m ballot.language"""
    marked = {(message.context, message.id) for message in extract(ROOT) if message.id}
    for other in OTHERS:
        known = {(message.context, message.id) for message in read_catalogue(other) if message.id}
        assert (set(), set()) == (marked - known, known - marked), f"{other}: missing, and no longer marked"


def test_a_translation_keeps_elements_and_names_that_are_filled_in() -> None:
    """And elements in a text are simple ones: nothing that a script, a label or a style needs can be lost by a translator."""
    for other in OTHERS:
        for message in read_catalogue(other):
            sources = [message.id] if isinstance(message.id, str) else message.id
            assert {"href", "class"}.issuperset(re.findall(r'[\w-]+(?==")', "".join(sources))), message.id
            for said in filter(None, [message.string] if isinstance(message.string, str) else message.string or ()):
                assert kept(said) in map(kept, sources), (message.id, said)


def kept(text: str) -> tuple[list[str], set[str]]:
    return sorted(re.findall(r"<[^>]*>", text)), set(re.findall(r"%\(\w+\)s", text))


# --- pages in a made-up language -----------------------------------------------------------------------------------------

HOLES = re.compile(r"%\(\w+\)s|%%|\{[^}]*\}|<[^>]*>|&\w+;|[A-Za-z]")
ROLL = """Name,Email,Membership type,Status,Joined
Άννα,1@example.org,Full member,Active,2020-01-01
Βάσω,2@example.org,Full member,Active,2020-01-01
Γιάννης,3@example.org,Supporter,Active,2020-01-01
Δάφνη,,Full member,Active,2020-01-01
"""
DATA = re.compile(
    r"2026 AGM|Northern Assembly|Returning-Officer|Full members, March|“(Email|Membership type|Supporter)”"  # what somebody typed
    r"|(PRACTICE: )?(Vote at the|Results:|Reminder: vote at the) .*"  # a mail to members
    r"|^(For|Against|For · Against)$"  # the words of the published ballot paper
    r"|\S+@\S+|(https://)?vote\.example\.org.*|\.(csv|json)|"
    + "|".join(re.escape(rule.title) for rule in RULES.values())  # the words of a record
)


def strange(text: str) -> str:
    """Each letter a wide one, so that a word from elsewhere stands out."""
    return HOLES.sub(lambda found: found[0] if len(found[0]) > 1 else chr(ord(found[0]) + 0xFEE0), text)


@pytest.fixture
def abroad(app: Flask, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Every page is in the made-up language, whose catalogue is complete."""
    catalogue = read_catalogue("cy")
    for message in catalogue:
        if isinstance(message.id, tuple):
            message.string = tuple(map(strange, [message.id[0]] + [message.id[1]] * (catalogue.num_plurals - 1)))
        elif message.id:
            message.string = strange(str(message.id))
    with (tmp_path / "cy.po").open("wb") as file:
        write_po(file, catalogue)
    for name in app.jinja_env.list_templates(extensions=["html"]):
        app.jinja_env.get_template(name)  # compiled for an English reader, and kept
    monkeypatch.setattr(language, "FOLDER", tmp_path)
    language.translations.cache_clear()

    @app.before_request
    def speak() -> None:
        language.READER.set("cy")

    yield
    language.translations.cache_clear()


@pytest.mark.usefixtures("abroad")
def test_pages_say_nothing_from_outside_of_the_catalogue(site: Site, returning_officer: Visitor) -> None:
    officer, plain = returning_officer, dict[str, list[str]]()

    def read(page: str, response: TestResponse, status: int = 200) -> None:
        assert status == response.status_code, page
        said = Page(response.get_data(as_text=True), {"main", "title"}).said
        assert re.search("[\uff21-\uff5a]{3}", "".join(said)), page
        if found := [text for text in said if WORDS.search(DATA.sub("", text))]:
            plain[page] = found

    def look(place: str, *pages: str) -> None:
        for page in pages:
            read(place + page, officer.get(place + page))

    look("/officer", "/", "/meetings/new", "/account")
    meeting = f"/officer/m/{(made := make_meeting(officer))}"
    look(meeting, "", "/roll")
    upload(officer, made, ROLL)
    look(meeting, "/roll/check", "/roll/check?show=cannot", "/roll/save")
    freeze(officer, made)
    look(meeting, "/roll", "/elections/new", "/elections/new/committee")
    read("refused", officer.post(f"{meeting}/elections/new/motion", {"electorate": "Ω", "opens_on": "Ω"}), 422)
    ballot = f"/officer/e/{make_ballot(officer, made, name='Ω', practice='y', **{'question-wording': 'Ω'})}"
    look(ballot, "", "/questions", "/questions/1", "/details", "/trustees", "/lock")
    assert 303 == officer.post(f"{ballot}/lock", {"code": officer.digits()}).status_code
    look(meeting, "", "/messages", "/messages/invitation", "/send", "/practice", "/members?q=1", "/observe", "/bounce")
    assert 303 == officer.post(f"{meeting}/send", {"code": officer.digits()}).status_code
    assert 303 == officer.post(f"{ballot}/open", {"code": officer.digits()}).status_code
    look(meeting, "/sending", "/mail-problems", "/remind", "/result-mail")
    look(ballot, "", "/close", "/later", "/void", "/tally", "/tidy-date")
    with site.database.read() as db:
        handles = db.exec(select(RollEntry.handle)).all()
    look(meeting, f"/members/{handles[0]}")
    look(meeting.removeprefix("/officer"), "")
    look(ballot.removeprefix("/officer"), "", "/board", "/check", "/verify")
    roles = (path.stem for path in (ROOT / "templates" / "help").glob("*.html"))
    look("", "/", "/how", "/help", "/dev/mail", *(f"/help/{role}" for role in roles if role not in {"frame", "overview"}))
    assert {} == plain
