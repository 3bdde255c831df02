"""What Python says on a page or in a mail is a text of the catalogue, which stays plain English for programs."""

from __future__ import annotations

import ast
import copy
import json
import pickle
import re
import string
from collections.abc import Iterable, Iterator

import pytest
from flask import Flask, render_template_string
from markupsafe import Markup, escape

from ballot.errors import NotFoundError
from ballot.language import (
    ENGLISH,
    LANGUAGES,
    N_,
    Text,
    TextEnum,
    in_language,
    joined,
    listing,
    phrase,
    phrases,
    read_catalogue,
    reading,
    shown,
)
from ballot.services import journal
from ballot.web.forms import Form, line
from tests.support.need import ROOT
from tests.web.conftest import Visitor

OTHERS = [language for language in LANGUAGES if language != ENGLISH]
MARKS = {"phrase", "phrases", "N_", "nN_"}

# --- nothing outside ------------------------------------------------------------------------------------------------------

FOR_THE_HOST = {"build", "health", "theme", "telemetry"}  # modules of the web that speak to who runs the site
SERVICES = (
    *("approvals", "board", "clock", "dates", "deliveries", "enquiries", "invitations", "jobs", "journal", "lifecycle", "mailings"),
    *("officers", "practice", "registrar", "rights", "roll", "roll_import", "strikes", "tally", "tidy", "tokens", "trustees", "turnout"),
    *("wording", "mail/bounces", "mail/letters"),
)
SAID = [
    *(path for path in sorted((ROOT / "ballot" / "web").rglob("*.py")) if not FOR_THE_HOST & {path.stem, path.parent.name}),
    *(ROOT / "ballot" / "services" / f"{name}.py" for name in SERVICES),
]
SENTENCE = re.compile(r"[A-Za-z’']+[,:;.]? [A-Za-z“{]|\} [A-Za-z]{2,}")
FOR_PROGRAMS = re.compile(r"[<>\\|]|\(\?|charset=|filename=|max-age|-src ")  # markup, patterns, headers, log lines
UNSAID = {"RuntimeError", "TypeError", "Actor", "InvalidCompanionError", "compile", "debug", "info", "warning", "error", "exception"}
LISTS = {"_ALIASES", "_FULL", "_SUPPORTER", "_CURRENT", "_LAPSED", "_SUSPENDED", "_SHARES", "MORE_HEADINGS"}  # words that are read
EXCEPTIONS = {
    "web/effects": {"one side {}", "the other side {}", "candidate {}"},  # names in an invented count
    "web/rules": {"Re-open nominations", " of {} seats"},  # the ballot paper's word, and the count's, which is cut out
    "web/board/result": {"result of {}"},
    "web/board/verifying": {"I: all checks passed"},  # another program's
    "web/booth/requests": {"the same key twice", "if that address is on the list"},
    "web/officer/elections": {"This is a consultation. It advises, and binds nobody."},  # becomes part of the ballot
    "web/officer/mail_problems": {"membership number", "mail server's answer"},  # headings of a file
    "web/officer/quotas": {" rounded {}"},  # as it is read again
    "web/officer/rolls": {"the file", "what to do", "Full members on {} {} {}"},  # headings of a file; the list's public name
    "services/approvals": {"close early", "close later", "paper card"},  # as they are stored
    "services/invitations": {"{}/sent again/{}"},
    "services/journal": {"journal: details must be an object"},
    "services/lifecycle": {"under way"},
    "services/officers": {"no such officer"},
    "services/practice": {"everybody on the list", "people named by an officer"},  # stored
    "services/rights": {"help a member"},
    "services/roll": {"Column {}", "{} (column {})", "{} is not a date"},  # headings of a table, which is stored
    "services/roll_import": {"Row in the list", "can vote"},  # headings of a file
    "services/turnout": {"YYYY-MM-DD HH24"},
}


def written(node: ast.AST) -> str:
    """A literal's text; what is filled in is {}."""
    if isinstance(node, ast.JoinedStr):
        return "".join(str(part.value) if isinstance(part, ast.Constant) else "{}" for part in node.values)
    return str(node.value) if isinstance(node, ast.Constant) else ""


def name_of(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else node.func.id if isinstance(node.func, ast.Name) else ""


def literals(node: ast.AST) -> Iterator[str]:
    """What may be said: no docstrings, keys, comparisons, log lines or words for programs, and nothing that is marked."""
    inside: Iterable[ast.AST] = ast.iter_child_nodes(node)
    match node:
        case ast.JoinedStr() | ast.Constant(value=str()):
            yield written(node)
            inside = [part for part in inside if isinstance(part, ast.FormattedValue)]
        case ast.Compare() | ast.Subscript():
            inside = [part for part in inside if isinstance(part, ast.Call)]
        case ast.Dict():
            inside = node.values
        case ast.Assign(targets=[ast.Name(id=name)]) | ast.AnnAssign(target=ast.Name(id=name)) if name in LISTS:
            inside = []
        case ast.Expr(value=ast.Constant()):
            inside = []
        case ast.Call() if name_of(node) in UNSAID:
            inside = []
        case ast.Call() if name_of(node) in MARKS:
            marked = sum(isinstance(argument, ast.Constant) for argument in node.args[:2])  # no f-string: nothing could find it
            inside = [*node.args[marked:], *node.keywords]
    for part in inside:
        yield from literals(part)


def outside(source: str) -> set[str]:
    return {text for text in literals(ast.parse(source)) if SENTENCE.search(text) and not FOR_PROGRAMS.search(text)}


def test_sentences_outside_of_the_catalogue_are_found() -> None:
    source = '''
"""Some docstring."""
def f(x):
    """Another docstring."""
    log.info("this is logged: %s", x)
    raise Problem("There is one.")
    raise Problem(f"There are {x} of them.")
    raise Problem(phrase("This is marked.", more="This is not."), {"a key here": "a value here"})
    phrases("one is {count}", "many are {count}", x); phrase(f"this {x} cannot be found")
    return "a word" if x == "two words" else "oneword"
'''
    found = {"There is one.", "There are {} of them.", "This is not.", "a value here", "this {} cannot be found", "a word"}
    assert found == outside(source)


def test_every_sentence_is_in_the_catalogue() -> None:
    """`phrase("…")` or `phrases("…", "…", number)` of ballot.language."""
    left = {}
    for path in SAID:
        module = path.relative_to(ROOT / "ballot").with_suffix("").as_posix().removesuffix("/__init__")
        if found := outside(path.read_text(encoding="utf-8")):
            left[module] = found
    assert left == EXCEPTIONS


def test_what_the_details_of_the_journal_are_called_is_in_the_catalogue() -> None:
    keys = set()
    for path in (ROOT / "ballot" / "services").glob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            match node:
                case (
                    ast.Assign(targets=[ast.Name(id="details")], value=ast.AST() as value)
                    | ast.AnnAssign(target=ast.Name(id="details"), value=ast.AST() as value)
                    | ast.AugAssign(target=ast.Name(id="details"), value=value)
                    | ast.keyword(arg="details", value=value)
                ):
                    inside = (key for part in ast.walk(value) if isinstance(part, ast.Dict) for key in part.keys)
                    keys |= {key.value for key in inside if isinstance(key, ast.Constant)}
    assert set(journal.DETAILS) == keys


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


@pytest.mark.parametrize("language", OTHERS)
def test_a_translation_fills_in_nothing_that_is_not_there(language: str) -> None:
    for message in read_catalogue(language):
        if "python-brace-format" in message.flags:
            known = {"clock"}.union(*map(holes, [message.id] if isinstance(message.id, str) else message.id))
            for said in [message.string] if isinstance(message.string, str) else message.string or ():
                assert holes(said) <= known, message.id


# --- one text -------------------------------------------------------------------------------------------------------------


class Weather(TextEnum):
    SUN = N_("noon")


NOON = phrase("noon")
SAMPLES = [
    (NOON, "noon", "hanner dydd"),
    (phrases("{count} minute", "{count} minutes", 1), "1 minute", "1 munud"),
    (phrases("{count} minute", "{count} minutes", 2), "2 minutes", "2 funud"),
    (phrase("{day} {month}", day=9, month=phrase("March")), "9 March", "9 Mawrth"),
    (phrase("not in any catalogue: {what}", what=NOON), "not in any catalogue: noon", "not in any catalogue: hanner dydd"),
    (joined([NOON, phrase("midnight")]), "noon midnight", "hanner dydd hanner nos"),
    (listing(["Ann", NOON]), "Ann and noon", None),
    (Text("noon"), "noon", "hanner dydd"),
    (phrase("{figure:,} % {braces}", figure=1000, braces="{day}"), "1,000 % {day}", "1,000 % {day}"),
]


@pytest.mark.parametrize(("text", "english", "welsh"), SAMPLES, ids=[english for _, english, _ in SAMPLES])
def test_a_text_is_english_and_can_be_said_in_welsh(text: Text, english: str, welsh: str | None) -> None:
    assert english == text == shown(text) == f"{text}"
    assert {text: 1} == {english: 1}
    assert welsh is None or welsh == in_language(text, "cy")
    with reading("cy"):
        assert english == text
        assert welsh is None or welsh == shown(text)
    assert english == shown(text)


@pytest.mark.parametrize(("text", "english", "welsh"), SAMPLES, ids=[english for _, english, _ in SAMPLES])
def test_a_text_survives_copies_and_is_plain_for_programs(text: Text, english: str, welsh: str | None) -> None:
    pickled = pickle.loads(pickle.dumps(text))  # noqa: S301  (our own bytes)
    for again in (pickled, copy.copy(text), copy.deepcopy(text), str(text), str(NotFoundError(text))):
        assert english == again
        assert in_language(text, "cy") == in_language(again, "cy")
    assert json.dumps(english) == json.dumps(text)
    assert str is type(in_language(text, ENGLISH))
    assert {str} == {type(text + ""), type(text[:]), type(text * 2), type(f"{text}.")}


def test_a_text_is_escaped_wherever_it_is_put_into_html(app: Flask) -> None:
    text = phrase("{day} {month}", day=Markup("<b>"), month=phrase("March"))
    with app.test_request_context(), reading("cy"):
        assert "&lt;b&gt; Mawrth" == escape(text) == Markup("%s") % text == Markup("{}").format(text)
        page = '{{ text }}|{{ "" ~ text }}|{{ [text, text]|join(",") }}|{% trans when=text %}{{ when }}{% endtrans %}|{{ text|capfirst }}'
        said = "&lt;b&gt; Mawrth"
        assert f"{said}|{said}|{said},{said}|{said}|{said}" == render_template_string(page, text=text)
        assert "hanner dydd|Hanner dydd" == render_template_string("{{ word }}|{{ word|capfirst }}", word=Weather.SUN)
    assert "noon" == str(Weather.SUN) == json.loads(json.dumps(Weather.SUN))


def test_a_forms_labels_and_problems_are_said_in_the_readers_language(app: Flask) -> None:
    class Sample(Form):
        one = line(phrase("noon"), missing=phrase("March"))
        two = line("", missing="", longest=3)

    with app.test_request_context(method="POST", data={"two": "long"}), reading("cy"):
        form = Sample()
        assert not form.validate()
        assert ["Mawrth"] == [shown(sentence) for name, sentence in form.problems() if name == "one"]
        assert [Text] == [type(sentence).__mro__[-3] for name, sentence in form.problems() if name == "two"]
        assert "hanner dydd" in str(form.one.label)


def test_a_message_that_wtforms_formats_stays_a_text() -> None:
    for path in (ROOT / "ballot" / "web").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Call) and name_of(node) in {"NumberRange", "Length"}:
                assert "whole(" in ast.unparse(node), path


def test_the_next_request_of_a_thread_is_in_english_again(anybody: Visitor) -> None:
    assert 'lang="cy"' in anybody.get("/vote?lang=cy").text
    assert "noon" == shown(NOON)
