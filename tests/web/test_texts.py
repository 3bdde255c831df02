"""The words of the pages that are scripts: all of them in the catalogue; the booth's in every language, and easy to read."""

from __future__ import annotations

import gzip
import json
import re
import string
import subprocess
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from ballot.language import ENGLISH, LANGUAGES, Plural, forms, listing, phrase, plurals, read_catalogue, translated, translations
from ballot.services.clock import spoken
from ballot.web import build
from ballot.web.board.texts import VERIFY
from ballot.web.booth.texts import BOOTH, PAGES, catalogue
from ballot.web.texts import for_script
from ballot.web.trustee_api.texts import KEYHOLDER
from tests.support.need import ROOT

OTHERS = [language for language in LANGUAGES if language != ENGLISH]
SHARED = [build.SOURCES / f"{name}.js" for name in ("page", "texts", "times")]
SCREENS = {
    "booth": [*SHARED, *(build.SOURCES / f"{name}.js" for name in ("booth", "screens", "ranker", "answers", "check", "link"))],
    "keyholder": [*SHARED, *(build.KEYHOLDER_SOURCES / f"{name}.js" for name in ("keyholder", "sentences"))],
    "verify": [*SHARED, build.VERIFY_SOURCES / "verify.js"],
    "officer": sorted((build.SOURCES.parent / "officer").glob("*.js")),
}
SENTENCES = build.KEYHOLDER_SOURCES / "sentences.js"
TREES = {"booth": BOOTH, "keyholder": KEYHOLDER, "verify": VERIFY}
FRAMES = [ROOT / "templates" / "booth" / name for name in ("vote.html", "check.html", "finished.html", "languages.html")]


def leaves(tree: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str | Plural]]:
    for key, value in tree.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{key}.")
        else:
            yield f"{path}{key}", value


TEXTS = dict(leaves({"booth": BOOTH, "pages": PAGES}))
ALL = dict(leaves({**TREES, "pages": PAGES}))


def holes(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name}


# --- in every language ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("language", OTHERS)
def test_every_text_of_the_booth_is_translated(language: str) -> None:
    known = {message.id[0] if isinstance(message.id, tuple) else message.id: message for message in read_catalogue(language)}
    for path, text in TEXTS.items():
        message = known[text.one if isinstance(text, Plural) else text]
        strings = list(message.string) if isinstance(message.string, tuple) else [message.string]
        assert all(strings), f"{path} waits for its translation"
        assert not message.fuzzy, path


@pytest.mark.parametrize("language", OTHERS)
def test_translations_fill_in_what_the_english_fills_in(language: str) -> None:
    """And the parts that are heard only are as many."""
    more = {f"{tree}.times.{half}": {"clock"} for tree in TREES for half in ("morning", "afternoon")}
    for path, text in ALL.items():
        for said in forms(text, language) if isinstance(text, Plural) else [translations(language).gettext(text)]:
            english = text.many if isinstance(text, Plural) else text
            assert holes(said) <= holes(english) | more.get(path, set()), path
            assert holes(said) == holes(english) or path in more, path
            assert said.count("|") == english.count("|"), path


@pytest.mark.parametrize("language", OTHERS)
def test_for_and_against_cannot_change_places(language: str) -> None:
    """The words of the published ballot paper stand beside their translation."""
    question = translated(BOOTH, language)["question"]
    assert [question[name].endswith(f" ({BOOTH['question'][name]})") for name in ("for", "against", "ron")] == [True, True, True]
    assert 30 == len(translated(BOOTH, language)["ordinals"].split(", "))


def test_plurals_follow_the_language() -> None:
    assert "101" == plurals("en")[:3]
    two, three, eleven = (forms(BOOTH["list"]["left"], "cy")[int(plurals("cy")[number])] for number in (2, 3, 11))
    assert ("bapur", "phapur", "papur") == tuple(text.split()[3] for text in (two, three, eleven))
    rule = translations("cy").ngettext
    left = BOOTH["list"]["left"]
    for number in (*range(30), 100, 101, 102, 199):
        assert rule(left.one, left.many, number) == forms(left, "cy")[int(plurals("cy")[number])], number


@pytest.mark.parametrize("language", LANGUAGES)
def test_nothing_is_nothing_in_every_language(language: str) -> None:
    """A catalogue's own heading is the translation of the empty text."""
    assert "" == phrase("").in_language(language) == listing([]).in_language(language)


# --- nothing outside -----------------------------------------------------------------------------------------------

STRING = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:[^"\\\n]|\\.)*"|`(?:[^`\\]|\\.)*`', re.DOTALL)
NO_WORDS = {  # what a member never reads: names for programs
    "Re-open nominations",  # compared with the ballot paper; shown from the catalogue
    "For,Against",
    "Europe/London",
}


def words_in(script: str) -> list[str]:
    """String literals that look like something to read: several words, or one that begins like a sentence."""
    bare = re.sub(r"throw new \w+\([^)]*\)", "", script)
    found = [match.strip('"`') for match in STRING.findall(bare) if match[:1] in {'"', "`"}]
    plain = [re.sub(r"\$\{[^}]*\}", "", text) for text in found]
    return [
        text
        for text in plain
        if re.search(r"[A-Za-z]{2,} [A-Za-z]{2,}|^[A-Z][a-z]+[ .:!?]|^[A-Z][a-z]{2,}$", text) and text not in NO_WORDS
    ]


@pytest.mark.parametrize("page", SCREENS)
def test_no_words_stand_in_a_script(page: str) -> None:
    allowed = {"RandomnessError", "MalformedError", "Error"}
    # classes and selectors
    told = r"^(notice|code|card|button|choice|tag|linklike|lead|field)\b|input, button|input:checked|summary|buttons?$|^class"
    for script in SCREENS[page]:
        found = [text for text in words_in(script.read_text(encoding="utf-8")) if text not in allowed and not re.search(told, text)]
        assert [] == found, script.name
    assert ["There is a problem", "Stop."] == words_in('h("p", { class: "x" }, "There is a problem", `Stop.`) // a "comment is none"')


@pytest.mark.parametrize("page", TREES)
def test_the_script_uses_every_text_and_no_other(page: str) -> None:
    folders = {"booth": build.SOURCES, "keyholder": build.KEYHOLDER_SOURCES, "verify": build.VERIFY_SOURCES}
    more = [*FRAMES, ROOT / "templates" / "base.html"] if page == "booth" else SHARED
    script = "\n".join(path.read_text(encoding="utf-8") for path in [*folders[page].glob("*.js"), *more])
    tree = TREES[page]
    for path in dict(leaves(tree)):
        name = path.rpartition(".")[2]
        assert re.search(rf"[.\"\[ ({{,]{name}\b", script), f"nothing shows {path}"
    groups = "|".join(key for key, value in tree.items() if isinstance(value, Mapping))
    for group, name in re.findall(rf"\b(?:texts|T)\.({groups})\.(\w+)", script):
        assert name in tree[group], f"texts.{group}.{name}"
    assert set(re.findall(r"\bT\.(\w+)", script)) <= set(tree)


@pytest.mark.parametrize("page", ["keyholder", "verify"])
def test_what_is_filled_in_is_called_and_nothing_else(page: str) -> None:
    """A text with a hole in it, or that counts, is a function of the script; any other is not."""
    handed_on = {"list.and", "list.or", "ballots", "rankings", "invalid"}  # to a function that calls them
    script = "\n".join(path.read_text(encoding="utf-8") for path in SCREENS[page])
    for path, text in leaves(TREES[page]):
        called = {after == "(" for after in re.findall(rf"\bT\.{re.escape(path)}\b(.)", script)}
        assert called <= {isinstance(text, Plural) or bool(holes(text))} or path in handed_on, path


# --- as the browser says it ----------------------------------------------------------------------------------------


def in_node(expression: str, brought: Mapping[str, Any] | None = None) -> Any:
    """A value computed by the booth's own texts.js, with the catalogue as the page has it; S are the key-holders' sentences."""
    script = f"import * as T from {str(build.SOURCES / 'texts.js')!r}; import * as S from {str(SENTENCES)!r};"
    script += f"T.load(JSON.parse(process.argv[1])); {expression}"
    command = [*build.node_command(), "--input-type=module", "--eval", script, json.dumps(brought or catalogue())]
    return json.loads(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def test_python_and_javascript_say_times_in_the_same_words() -> None:
    start = datetime(2026, 1, 1, tzinfo=UTC)
    moments = [start + timedelta(hours=61 * n, minutes=5 * n) for n in range(200)] + [start + timedelta(hours=12)]
    said = in_node(f"T.speak('en'); console.log(JSON.stringify({json.dumps([m.isoformat() for m in moments])}.map(T.spoken)))")
    assert [spoken(moment) for moment in moments] == said
    assert {"noon", "midnight"} <= {words.split(" at ")[1].split()[0] for words in said}


def test_the_browser_speaks_welsh() -> None:
    said = in_node(
        "T.speak('cy'); const { start, list, question } = T.texts; console.log(JSON.stringify(["
        "T.spoken('2026-03-20T17:00:00Z'), T.spoken('2026-06-20T08:30:00Z'), T.spokenHour('2026-06-20T11:00:00Z'), T.duration(150),"
        "list.left({ count: 1 }), list.left({ count: 2 }), list.left({ count: 106 }),"
        "question.chooseAs({ name: 'Ann', rank: T.ordinal(3) }), T.ordinal(31), T.theirs({ id: 'x' }), start.start]))"
    )
    assert said == [
        "ddydd Gwener 20 Mawrth 2026 am 17.00 (amser y DU)",
        "ddydd Sadwrn 20 Mehefin 2026 am 9.30 (amser y DU)",
        "hanner dydd",
        "3 munud",
        "Mae gennych 1 papur pleidleisio ar ôl i’w lenwi.",
        "Mae gennych 2 bapur pleidleisio ar ôl i’w llenwi.",
        "Mae gennych 106 papur pleidleisio ar ôl i’w llenwi.",
        ["Dewis", " Ann", " yn rhif 3"],
        "31",
        {"id": "x", "lang": "en-GB"},
        "Dechrau",
    ]


def test_the_key_holders_sentences_count_and_list() -> None:
    """The page brings one language, and speaks it."""
    said = in_node(
        "const view = { owner: 2, size: 5, threshold: 3, holder: 'Cy' }; console.log(JSON.stringify([S.holderOf(view), S.share(view),"
        "S.share({ size: 1, threshold: 1 }), S.waitingFor(['Ann']), S.others(['Ann', 'Bob', 'Cy']), S.others([]), S.shownAgain([], view),"
        "S.shownAgain(['Ann'], view), S.shownAgain(['Ann', 'Bob'], view), S.shownAgain(['Ann', 'Bob', 'Cy'], view), S.mayLose(view),"
        "S.countLost({ ...view, lost: ['Ann'] }), S.countLost({ ...view, lost: ['Ann', 'Bob', 'Cy'] }), S.awaited(1, ['Ann', 'Bob']),"
        "S.awaited(2, ['Ann', 'Bob']), S.stepDone('ballots', 1), S.stepDone('tally', 1)]))",
        for_script(KEYHOLDER, [ENGLISH]),
    )
    enough, fewer = "The keys that were shown are enough to open the box, and", "The keys that were shown are not enough yet:"
    lend = "3 people together could open it, so never lend your key."
    spare = "So 2 keys may be lost in all, and the votes can still be counted."
    assert said == [
        "Key-holder 2 of 5: Cy",
        f"3 of the 5 keys open the box. You may lose 2 keys between you and still count. {lend}",
        "This one key opens the box.",
        "Waiting for Ann",
        "Still to make or prove their key: Ann, Bob and Cy.",
        "All key-holders are ready.",
        "All key-holders have shown that their keys still open.",
        f"Still to show that their key opens: Ann. {enough} 1 of them may still be lost.",
        f"Still to show that their key opens: Ann and Bob. {enough} none of them may still be lost.",
        f"Still to show that their key opens: Ann, Bob and Cy. {fewer} 1 more must be found, or nobody can open the box.",
        f"Tell the returning officer today. This ballot box has 5 keys and 3 of them open it. {spare}",
        "Lost: Ann. 4 of 5 keys are left, and 3 are needed. 1 more may be lost.",
        "Lost: Ann, Bob and Cy. 2 of 5 keys are left, and 3 are needed. That is too few to open the box.",
        "Waiting for 1 more: Ann or Bob. This page goes on by itself.",
        "Waiting for Ann and Bob. This page goes on by itself.",
        "1 ballot checked",
        "Sum of all ballots checked",
    ]


def test_the_words_that_come_with_the_page_are_few() -> None:
    """All languages travel with the page, so that nobody learns which one a member reads."""
    words = json.dumps(catalogue()).encode()
    assert len(words) <= 20_000 * len(LANGUAGES)
    assert len(gzip.compress(words)) <= 5_000 * len(LANGUAGES)


# --- easy to read --------------------------------------------------------------------------------------------------

# Flesch and Kincaid's grade: 0.39 words per sentence + 11.8 syllables per word - 15.59. Grade 6 is read at the age of 11 to 12.
# A sentence ends with a full stop, a question mark or an exclamation mark; only texts of 5 words and more count, since buttons and
# headings would flatter the figure. A word's syllables are its groups of vowels; a last "e", "es" or "ed" that is not heard is none.
GRADE = 6.0
LONGEST_SENTENCE = 25  # words
SAMPLES = {"when": "Friday 20 March 2026 at 5pm (UK time)", "hour": "5pm", "duration": "40 seconds", "meeting": "annual general meeting"}


def syllables(word: str) -> int:
    word = word.lower()
    if not re.search(r"[^aeiouy]le$", word):
        word = re.sub(r"(?<=[^aeiouy])e$|(?<=[^aeiouycgsxz])es$|(?<=[^aeiouydt])ed$", "", word)
    return max(1, len(re.findall(r"[aeiouy]+", word)))


def sentences(text: str) -> list[list[str]]:
    filled = re.sub(r"\{(\w+)\}", lambda hole: SAMPLES.get(hole[1], "name"), text.replace("|", ""))
    parts = [re.findall(r"[A-Za-z0-9][\w'’@.-]*\w|\w", part) for part in re.split(r"(?<=[.!?])\s+|\n+", filled)]
    return [words for words in parts if words]


def grade(parts: list[list[str]]) -> float:
    words = [word for part in parts for word in part]
    return 0.39 * len(words) / len(parts) + 11.8 * sum(map(syllables, words)) / len(words) - 15.59


def test_the_booth_is_read_at_the_age_of_11() -> None:
    counted = [sentences(text.many if isinstance(text, Plural) else text) for path, text in TEXTS.items() if "times" not in path]
    texts = [parts for parts in counted if sum(map(len, parts)) >= 5 and parts[0][0] != "1st"]
    assert 100 < len(texts)
    assert grade([part for parts in texts for part in parts]) <= GRADE
    assert [] == [" ".join(part) for parts in texts for part in parts if len(part) > LONGEST_SENTENCE]


def test_a_hard_sentence_is_found_hard() -> None:
    assert 1 > grade(sentences("The cat sat on the mat. It was glad."))
    assert 15 < grade(
        sentences("Cryptographic verifiability necessitates publishing homomorphically encrypted ballots and decryption proofs.")
    )
    assert [("ballot", 2), ("counted", 2), ("closed", 1), ("little", 2), ("choices", 2)] == [
        (word, syllables(word)) for word in ("ballot", "counted", "closed", "little", "choices")
    ]
