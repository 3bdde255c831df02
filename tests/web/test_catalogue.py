"""Every text of every template is in the catalogue: none stands outside of the marks, and the catalogue is what the sources say."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from itertools import chain

from flask import Flask
from jinja2 import nodes

from ballot.language import ENGLISH, LANGUAGES, extract, read_catalogue
from tests.support.need import ROOT

TEMPLATES = sorted(path for path in (ROOT / "templates").rglob("*") if path.is_file())
OTHERS = [language for language in LANGUAGES if language != ENGLISH]
MARKS = {"_", "gettext", "ngettext", "pgettext"}
ALOUD = {"aria-label", "aria-description", "title", "alt", "placeholder", "label"}
NO_WORDS = {"code", "style"}  # commands and addresses, which are the same in every language
BY_NAME = {"map", "mail_state"}  # filters that are given a name for programs
WORDS = re.compile(r"[A-Za-z]{2}")
SENTENCE = re.compile(r"[A-Za-z]{2,} [A-Za-z]{2,}|^[A-Z][a-z]+[ .:!?]|^[A-Z][a-z]{2,}$")  # and not a name for programs


class Page(HTMLParser):
    """The words of a page: its text, and the attributes that are read aloud or shown."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self._inside = 0
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._inside += tag in NO_WORDS
        self._note(*(value or "" for name, value in attrs if name in ALOUD))

    def handle_endtag(self, tag: str) -> None:
        self._inside -= tag in NO_WORDS

    def handle_data(self, data: str) -> None:
        self._note(data)

    def _note(self, *texts: str) -> None:
        if not self._inside:
            self.words += [" ".join(text.split()) for text in texts if WORDS.search(text)]


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
        case nodes.Filter() if expression.name not in BY_NAME:
            yield from of(expression.iter_child_nodes(only=("node", "args")))
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
    return Page(page).words if html else [line for line in page.splitlines() if WORDS.search(line)]


def test_words_outside_of_the_catalogue_are_found(app: Flask) -> None:
    """One, two and so on are words of a page that are not marked; the others are marked, or no words of the page."""
    source = """<p class="lead">one <a href="/page" title="two">{{ "three" if here else _("marked") }}</a> {% trans %}marked{% endtrans %}
        {% set both = {"key": ("Four words", _("marked"))}[key] %}{% if key == "no word" %}{{ name or " five" }} {% else %}six{% endif %}
        {{ field("seven words", class="short code") }} {% trans more="eight" if many else _("marked") %}{{ more }} texts{% endtrans %}
        <code>ballot verify</code> {{ "nine: " ~ number }} {{ number|count_of("ten") }} {{ "waiting"|mail_state }}</p>"""
    found = " ".join(words_outside(app.jinja_env.parse(source)))
    assert "one two three Four words five six seven words eight nine: ten" == found


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
    for language in OTHERS:
        assert marked == {(message.context, message.id) for message in read_catalogue(language) if message.id}, language


def test_a_translation_keeps_elements_and_names_that_are_filled_in() -> None:
    """And elements in a text are simple ones: nothing that a script, a label or a style needs can be lost by a translator."""
    for language in OTHERS:
        for message in read_catalogue(language):
            sources = [message.id] if isinstance(message.id, str) else message.id
            assert {"href", "class"}.issuperset(re.findall(r'[\w-]+(?==")', "".join(sources))), message.id
            for said in filter(None, [message.string] if isinstance(message.string, str) else message.string or ()):
                assert kept(said) in map(kept, sources), (message.id, said)


def kept(text: str) -> tuple[list[str], set[str]]:
    return sorted(re.findall(r"<[^>]*>", text)), set(re.findall(r"%\(\w+\)s", text))
