"""The officers' whole journey by form and button, from an empty site to a published result, over the real protocol."""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime

import pytest
from sqlmodel import select
from werkzeug.test import TestResponse

from ballot.app import Site
from ballot.models import Election, ElectionState, Electorate, Meeting, Outbox, RollEntry
from ballot.protocol.ballots import create_ballot
from ballot.protocol.credentials import derive_code, public
from ballot.protocol.group import SystemRng
from ballot.services import board, registrar, tokens
from ballot.services.clock import FixedClock
from tests.web.conftest import Visitor, chosen_options, hidden_fields, text_of

ROLL = """Name,Email,Membership type,Status,Joined,Sub-region
Ann Archer,ann@example.org,Full member,Active,2020-01-01,Tyne
Ben Bold,ben@example.org,Full member,Active,2020-01-01,Tyne
Cat Cole,cat@example.org,Full member,Active,2020-01-01,Tees
Dev Dunn,dev@example.org,Full member,Active,2020-01-01,Tees
Eve Eden,eve@example.org,Full member,Active,2020-01-01,Tees
Fay Ford,fay@example.org,Full member,Active,2020-01-01,Tees
Sam Supporter,sam@example.org,Supporter,Active,2020-01-01,Tyne
"=HYPERLINK(1)",bad address,Full member,Active,2020-01-01,Tyne
"""

DETAILS = {
    "name": "Motions",
    "description": "",
    "electorate": "",
    "opens_on": "2026-03-10",
    "opens_at": "09:00",
    "closes_on": "2026-03-20",
    "closes_at": "17:00",
}
MOTION = {
    "question-wording": "That we meet twice a year.",
    "question-threshold": "simple-majority",
    "question-base": "cast",
    "question-quorum": "5",
}


def make_meeting(officer: Visitor, *, two_people: str = "no") -> str:
    response = officer.post("/officer/meetings/new", {"name": "2026 AGM", "two_people": two_people, "codes": "site"})
    assert 303 == response.status_code, text_of(response)
    return response.headers["Location"].rsplit("/", 1)[1]


def choose_file(officer: Visitor, meeting: str, content: str | bytes = ROLL, cut_off: str = "2026-01-01") -> TestResponse:
    """The file is uploaded, and the next page asks which column is what; or the first one says what is wrong."""
    data = content.encode() if isinstance(content, str) else content
    response = officer.post(f"/officer/m/{meeting}/roll", {"upload-file": (io.BytesIO(data), "roll.csv"), "upload-cut_off": cut_off})
    response.request.environ["wsgi.input"].close()  # the test client leaves the file in which it kept a large body open
    return response


def choose_columns(officer: Visitor, meeting: str, **changes: str) -> TestResponse:
    """The columns as the page guesses them, but for these."""
    page = f"/officer/m/{meeting}/roll/columns"
    return officer.post(page, chosen_options(officer.get(page).get_data(as_text=True)) | changes)


def upload(officer: Visitor, meeting: str, content: str | bytes = ROLL, cut_off: str = "2026-01-01") -> TestResponse:
    """The page that checks the list; what needs a decision there is left out."""
    assert 303 == choose_file(officer, meeting, content, cut_off).status_code
    assert 303 == choose_columns(officer, meeting).status_code
    return officer.get(f"/officer/m/{meeting}/roll/check")


def save(officer: Visitor, meeting: str, then: str = "keep", name: str = "Full members, March") -> TestResponse:
    page = f"/officer/m/{meeting}/roll/save"
    waiting = hidden_fields(officer.get(page).get_data(as_text=True))
    return officer.post(page, {"upload": waiting["upload"], "name": name, "then": then, "code": officer.digits()})


def freeze(officer: Visitor, meeting: str) -> None:
    response = save(officer, meeting, "freeze")
    assert 303 == response.status_code, text_of(response)


def make_ballot(officer: Visitor, meeting: str, kind: str = "motion", **changes: str) -> str:
    question = MOTION if kind == "motion" else {}
    response = officer.post(f"/officer/m/{meeting}/elections/new/{kind}", {**DETAILS, **question, **changes})
    assert 303 == response.status_code, text_of(response)
    return response.headers["Location"].rsplit("/", 1)[1]


@pytest.fixture
def meeting(returning_officer: Visitor) -> str:
    """A meeting with a frozen roll of 6, where one officer is enough."""
    made = make_meeting(returning_officer)
    assert 200 == upload(returning_officer, made).status_code
    freeze(returning_officer, made)
    return made


def cast_all(site: Site, meeting: str, uuid: str, choices: list[list[list[int]]]) -> None:
    """Each member in turn casts these answers with their own code and token."""
    election = board.load_setup(site.database, uuid).election
    with site.database.read() as db:
        entries = db.exec(select(RollEntry).where(RollEntry.meeting_id == meeting).order_by(RollEntry.name)).all()
    ends = datetime(2026, 12, 31, tzinfo=UTC)
    for entry, answers in zip(entries, choices, strict=False):
        ballot = create_ballot(election, registrar.voting_code(site.keys, entry), answers, SystemRng())
        token = tokens.make_voting_token(site.keys, entry, ends)
        board.cast(site.database, site.keys, uuid, token, ballot.to_bytes(), site.clock.now())


def test_from_an_empty_site_to_a_published_result(site: Site, clock: FixedClock, returning_officer: Visitor, anybody: Visitor) -> None:
    officer = returning_officer
    assert "No ballots yet" in text_of(officer.get("/officer/"))
    meeting = make_meeting(officer)
    assert "Next: upload the list of members" in text_of(officer.get(f"/officer/m/{meeting}"))

    page = text_of(upload(officer, meeting))
    assert "6 can vote 2 cannot" in page
    assert "Supporter, not a full member" in page
    freeze(officer, meeting)

    uuid = make_ballot(officer, meeting, practice="y")
    added = officer.post(
        f"/officer/e/{uuid}/questions/new/committee",
        {
            "question-wording": "Committee",
            "question-seats": "2",
            "question-choices": "Ida\nJon\nKim",
            "question-rule": "scottish-2011",
            "question-ron": "y",
        },
    )
    assert 303 == added.status_code, text_of(added)
    assert anybody.get(f"/e/{uuid}").status_code == 404  # a draft is nobody's business

    read_back = text_of(officer.get(f"/officer/e/{uuid}/lock"))
    assert "That we meet twice a year." in read_back
    assert "6 members" in read_back
    assert 303 == officer.post(f"/officer/e/{uuid}/lock", {"code": officer.digits()}).status_code
    assert "Voting opens Tuesday 10 March 2026 at 9am" in text_of(anybody.get(f"/e/{uuid}"))

    sent = officer.post(f"/officer/m/{meeting}/send", {"introduction": "Dear members", "code": officer.digits()})
    assert 303 == sent.status_code, text_of(sent)
    assert 303 == officer.post(f"/officer/m/{meeting}/send", {"code": officer.digits()}).status_code
    with site.database.read() as db:
        assert 6 == len(db.exec(select(Outbox).where(Outbox.kind == "invitation")).all())

    assert 303 == officer.post(f"/officer/e/{uuid}/open", {"code": officer.digits()}).status_code
    clock.moment = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
    officer = _again(officer)
    yes, no, abstain = [0, 1, 0], [0, 0, 1], [1, 0, 0]
    cast_all(
        site, meeting, uuid, [[yes, [1, 2, 3, 0]], [yes, [1, 0, 2, 0]], [yes, [2, 1, 0, 0]], [no, [0, 1, 0, 0]], [abstain, [0, 0, 0, 0]]]
    )

    lines = text_of(anybody.get(f"/e/{uuid}/board"))
    assert "5 votes in the box" in lines
    with site.database.read() as db:
        code = board.ballots_on_board(db, uuid)[0].tracker
    missing = anybody.get(f"/e/{uuid}/check?code={'A' * 43}")
    assert "There are 3 usual causes" in text_of(missing)
    assert "Report a missing vote" in text_of(missing)
    assert "We found it" in text_of(anybody.get(f"/e/{uuid}/check?code={code.replace('+', '%2B')}"))

    clock.moment = datetime(2026, 3, 20, 17, 1, tzinfo=UTC)
    officer = _again(officer)
    assert 303 == officer.post(f"/officer/e/{uuid}/close", {"code": officer.digits()}).status_code
    assert 303 == officer.post(f"/officer/e/{uuid}/tally", {"code": officer.digits()}).status_code
    assert 303 == officer.post(f"/officer/e/{uuid}/tally/practice", page=f"/officer/e/{uuid}/tally").status_code
    published = officer.post(f"/officer/e/{uuid}/publish", {"code": officer.digits()})
    assert 303 == published.status_code, text_of(published)

    result = text_of(anybody.get(f"/e/{uuid}/result"))
    assert "Carried: 3 for, 1 against, 1 abstained." in result
    assert "Quorum 5: met." in result
    assert "Elected: Ida and Jon." in result
    blt = anybody.get(f"/e/{uuid}/result/2.blt").get_data(as_text=True)
    assert blt.startswith("4 2\n")
    assert '"Re-open nominations"' in blt
    assert anybody.get(f"/e/{uuid}/result/1.blt").status_code == 404
    assert "Result published" in text_of(anybody.get(f"/m/{meeting}/journal"))

    assert "Next: mail the result" in text_of(officer.get(f"/officer/e/{uuid}"))
    assert 303 == officer.post(f"/officer/m/{meeting}/result-mail", {"ballots": uuid, "code": officer.digits()}).status_code
    told = officer.get(f"/officer/e/{uuid}")
    assert "Next: look at the result" in text_of(told)
    assert f'href="/e/{uuid}/report"' in told.get_data(as_text=True)


def _again(officer: Visitor) -> Visitor:
    """Sign in again after a night."""
    from ballot.services import officers

    with officer.site.database.write() as db:
        made = officers.make_login_link(db, email="returning-officer@example.org", now=officer.site.clock.now(), pause=0)
    assert made is not None
    officer.post("/officer/sign-in/link", {"code": made[1]})
    assert 303 == officer.post("/officer/sign-in/second", {"code": officer.digits()}).status_code
    return officer


def test_two_people_lock_a_ballot(site: Site, new_officer: Callable[..., Visitor]) -> None:
    first, second = new_officer(), new_officer("deputy")
    meeting = make_meeting(first, two_people="yes")
    upload(first, meeting)
    freeze(first, meeting)
    uuid = make_ballot(first, meeting)
    people = "Kay Key, kay@example.org\nLee Lock, lee@example.org\nMay Main, may@example.org"
    assert 303 == first.post(f"/officer/e/{uuid}/trustees", {"people": people, "threshold": "2"}).status_code
    with site.database.read() as db:
        assert 3 == len(db.exec(select(Outbox).where(Outbox.kind == "trustee")).all())
    page = text_of(first.get(f"/officer/e/{uuid}/lock"))
    assert "Waiting for Kay Key, Lee Lock, May Main" in page
    void = first.post(f"/officer/e/{uuid}/lock", {"code": first.digits()}, page="/officer/account")
    assert 422 == void.status_code
    with site.database.read() as db:
        assert ElectionState.DRAFT == db.get_one(Election, uuid).state

    practice = make_ballot(first, meeting, name="Rehearsal", practice="y")
    assert 303 == first.post(f"/officer/e/{practice}/lock", {"code": first.digits()}).status_code  # a rehearsal needs one person
    asked = first.post(f"/officer/e/{practice}/open", {"code": first.digits()})
    assert 303 == asked.status_code
    assert 200 == second.get("/officer/").status_code


def test_a_second_officer_agrees_from_their_own_sign_in(site: Site, clock: FixedClock, new_officer: Callable[..., Visitor]) -> None:
    first, second = new_officer(), new_officer("membership-secretary")
    meeting = make_meeting(first, two_people="yes")
    upload(first, meeting)
    freeze(first, meeting)
    with site.database.read() as db:
        handle = db.exec(select(RollEntry).where(RollEntry.name == "Ann Archer")).one().handle
    there = f"/officer/m/{meeting}/members/{handle}"
    fields = {"cause": "the address was wrong", "email": "anna@example.org"}
    assert 303 == first.post(f"{there}/reissue", {**fields, "code": first.digits()}, page=there).status_code
    again = first.post(f"{there}/reissue", {**fields, "code": first.digits()}, page=there)
    assert "A second officer has to agree first" in text_of(again)
    match = re.search(r"/officer/approvals/\w+", second.get("/officer/").get_data(as_text=True))
    assert match is not None
    assert "You asked for this yourself" in text_of(first.get(match[0]))
    assert "New address anna@example.org" in text_of(second.get(match[0]))
    assert 303 == second.post(match[0], {"code": second.digits()}).status_code
    assert 'value="anna@example.org"' in first.get(there).get_data(as_text=True)
    elsewhere = first.post(f"{there}/reissue", {**fields, "email": "mine@example.org", "code": first.digits()}, page=there)
    assert 303 == elsewhere.status_code  # another address is another question
    with site.database.read() as db:
        assert ("ann@example.org", 0) == ((entry := db.get_one(RollEntry, handle)).email, entry.generation)
    assert 303 == first.post(f"{there}/reissue", {**fields, "code": first.digits()}, page=there).status_code
    with site.database.read() as db:
        entry = db.get_one(RollEntry, handle)
        assert ("anna@example.org", 1) == (entry.email, entry.generation)


def test_roll_import_and_exports_no_cell_of_a_downloaded_line_is_a_formula(returning_officer: Visitor) -> None:
    meeting = make_meeting(returning_officer)
    upload(returning_officer, meeting)
    save(returning_officer, meeting)
    rows = returning_officer.get(f"/officer/m/{meeting}/roll/left-out.csv").get_data(as_text=True)
    assert "'=HYPERLINK(1)" in rows
    assert "Sam Supporter" in rows


@pytest.mark.parametrize(
    ("kind", "fields", "expected"),
    [
        ("motion", {**MOTION, "question-wording": " "}, "Type the motion"),
        ("motion", {**MOTION, "question-threshold": "unheard of"}, "Not a valid choice"),
        ("motion", {**MOTION, "question-quorum": "many"}, "Type a whole number"),
        ("motion", {**MOTION, "name": ""}, "Give the ballot a name"),
        ("motion", {**MOTION, "name": "two\nlines"}, "on one line"),
        ("motion", {**MOTION, "opens_on": "tomorrow"}, "That is not a date"),
        ("motion", {**MOTION, "closes_at": "teatime"}, "That is not a time"),
        ("motion", {**MOTION, "closes_on": "2026-03-10", "closes_at": "08:00"}, "Voting must close after it opens"),
        ("motion", {**MOTION, "opens_on": "2026-01-01", "closes_on": "2026-01-02"}, "The close is in the past"),
        ("motion", {**MOTION, "opens_on": "2026-03-29", "opens_at": "01:30", "closes_on": "2026-04-02"}, "the clocks go forward"),
        ("motion", {**MOTION, "electorate": "region:Atlantis"}, "Not a valid choice"),
        ("post", {"question-wording": "Treasurer", "question-choices": ""}, "Type the choices"),
        ("post", {"question-wording": "Treasurer", "question-choices": "Ann\nann"}, "the same choice twice"),
        ("committee", {"question-wording": "C", "question-seats": "0", "question-choices": "A\nB"}, "Type a number from 1 to 100"),
        ("committee", {"question-wording": "C", "question-seats": "2", "question-choices": "A\nB"}, "nothing to decide"),
        ("approval", {"question-wording": "W", "question-seats": "3", "question-choices": "A\nB", "question-limit": "any"}, "3 cannot win"),
    ],
)
def test_a_bad_question_or_date_is_told_by_its_field_and_nothing_is_lost(
    site: Site, meeting: str, returning_officer: Visitor, kind: str, fields: dict[str, str], expected: str
) -> None:
    sent = {**DETAILS, "name": "A name to keep", "question-rule": "scottish-2011", **fields}
    response = returning_officer.post(f"/officer/m/{meeting}/elections/new/{kind}", sent)
    assert 422 == response.status_code
    assert expected in text_of(response)
    assert "There is a problem" in text_of(response)
    if sent["name"] == "A name to keep":
        assert "A name to keep" in response.get_data(as_text=True)
    with site.database.read() as db:
        assert [] == list(db.exec(select(Election)))


def test_more_than_thirty_choices_in_a_ranking_are_refused_with_the_reason(meeting: str, returning_officer: Visitor) -> None:
    names = "\n".join(f"Candidate {n}" for n in range(30))
    fields = {
        **DETAILS,
        "question-wording": "Committee",
        "question-seats": "6",
        "question-choices": names,
        "question-rule": "meek",
        "question-ron": "y",
    }
    response = returning_officer.post(f"/officer/m/{meeting}/elections/new/committee", fields)
    assert 422 == response.status_code
    assert "at most 30 choices, because each ranking must fit into one sealed number" in text_of(response)
    assert "Candidate 29" in response.get_data(as_text=True)
    del fields["question-ron"]
    assert 303 == returning_officer.post(f"/officer/m/{meeting}/elections/new/committee", fields).status_code


@pytest.mark.parametrize(
    ("people", "threshold", "expected"),
    [
        ("Kay, kay@example.org", "2", "at least 3 key-holders"),
        ("Kay, kay@example.org\nLee, lee@example.org\nMay, may@example.org", "3", "at most 2 can be needed"),
        ("Kay, kay@example.org\nLee, kay@example.org\nMay, may@example.org", "2", "the same name or address"),
        ("Kay kay@example.org", "2", "is not a name, a comma and an e-mail address"),
        ("", "2", "Name the key-holders"),
    ],
)
def test_key_holders_that_protect_nothing_are_refused(
    meeting: str, returning_officer: Visitor, people: str, threshold: str, expected: str
) -> None:
    uuid = make_ballot(returning_officer, meeting)
    response = returning_officer.post(f"/officer/e/{uuid}/trustees", {"people": people, "threshold": threshold})
    assert 422 == response.status_code
    assert expected in text_of(response)
    assert people.split("\n", maxsplit=1)[0] in response.get_data(as_text=True)


def test_an_act_needs_the_digits_again_and_each_only_once(site: Site, meeting: str, returning_officer: Visitor) -> None:
    uuid = make_ballot(returning_officer, meeting, practice="y")
    for code in ("", "123456"):
        assert 422 == returning_officer.post(f"/officer/e/{uuid}/lock", {"code": code}).status_code
    used = returning_officer.digits()
    assert 303 == returning_officer.post(f"/officer/e/{uuid}/lock", {"code": used}).status_code
    refused = returning_officer.post(f"/officer/e/{uuid}/open", {"code": used})
    assert "used already" in text_of(refused)
    with site.database.read() as db:
        assert ElectionState.LOCKED == db.get_one(Election, uuid).state


def test_after_the_lock_nothing_of_the_ballot_changes(site: Site, meeting: str, returning_officer: Visitor) -> None:
    uuid = make_ballot(returning_officer, meeting, practice="y")
    returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()})
    assert 422 == returning_officer.post(f"/officer/e/{uuid}/details", DETAILS, page="/officer/account").status_code
    assert 422 == returning_officer.post(f"/officer/e/{uuid}/questions/1", MOTION, page="/officer/account").status_code
    assert "so its questions stand" in text_of(returning_officer.get(f"/officer/e/{uuid}/questions"))


def test_closing_early_takes_a_reason_that_members_can_read(
    site: Site, clock: FixedClock, meeting: str, returning_officer: Visitor
) -> None:
    uuid = make_ballot(returning_officer, meeting, practice="y")
    for word in ("lock", "open"):
        returning_officer.post(f"/officer/e/{uuid}/{word}", {"code": returning_officer.digits()})
    missing = returning_officer.post(f"/officer/e/{uuid}/close", {"code": returning_officer.digits()})
    assert "Write down the reason" in text_of(missing)
    done = returning_officer.post(f"/officer/e/{uuid}/close", {"code": returning_officer.digits(), "reason": "Everyone has voted."})
    assert 303 == done.status_code, text_of(done)
    assert "Everyone has voted." in text_of(returning_officer.get(f"/m/{meeting}/journal"))


def test_a_void_ballot_says_why(site: Site, meeting: str, returning_officer: Visitor, anybody: Visitor) -> None:
    uuid = make_ballot(returning_officer, meeting, practice="y")
    returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()})
    done = returning_officer.post(f"/officer/e/{uuid}/void", {"code": returning_officer.digits(), "reason": "A name was misspelt."})
    assert 303 == done.status_code, text_of(done)
    assert "declared void: A name was misspelt." in text_of(anybody.get(f"/e/{uuid}"))


def test_the_archive_and_the_read_paths_hold_the_same_bytes(meeting: str, returning_officer: Visitor, anybody: Visitor) -> None:
    uuid = make_ballot(returning_officer, meeting, practice="y")
    returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()})
    last = json.loads(anybody.get(f"/api/elections/{uuid}/last-event").data)
    archive = anybody.get(f"/e/{uuid}.bel").data
    assert (0, len(archive)) == (last["height"], last["pos"])
    assert archive == anybody.get(f"/api/elections/{uuid}/archive").data
    event = anybody.get(f"/api/elections/{uuid}/objects/{last['hash']}").data
    assert event in archive
    for name in ("election", "trustees", "credentials", "archive-header"):
        assert anybody.get(f"/api/elections/{uuid}/{name}").data in archive
    assert b"[]" == anybody.get(f"/e/{uuid}.companion.json").data
    assert anybody.get(f"/e/{uuid}/checkpoint").get_data(as_text=True).startswith(f"vote.example.org/e/{uuid}\n0\n")
    missing = anybody.get(f"/api/elections/{uuid}/objects/{'0' * 64}")
    assert (404, "not-found") == (missing.status_code, missing.get_json()["error"])


def test_a_meeting_without_a_name_is_not_made(site: Site, returning_officer: Visitor) -> None:
    response = returning_officer.post("/officer/meetings/new", {"name": "", "codes": "site"})
    assert 422 == response.status_code
    for sentence in ("Give the meeting a name", "Choose whether important acts need two people"):
        assert sentence in text_of(response)
    with site.database.read() as db:
        assert [] == list(db.exec(select(Meeting)))


def test_closing_later_takes_a_later_time_and_a_reason(site: Site, meeting: str, returning_officer: Visitor, anybody: Visitor) -> None:
    uuid = make_ballot(returning_officer, meeting, practice="y")
    returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()})
    there = f"/officer/e/{uuid}/later"
    earlier = {"closes_on": "2026-03-19", "closes_at": "17:00", "reason": "The site was down.", "code": "000000"}
    refused = returning_officer.post(there, earlier)
    assert "Choose a later time than Friday 20 March 2026 at 5pm" in text_of(refused)
    assert "The site was down." in refused.get_data(as_text=True)
    assert "Write down the reason" in text_of(returning_officer.post(there, {**earlier, "reason": ""}))
    later = {**earlier, "closes_on": "2026-03-21", "code": returning_officer.digits()}
    assert 303 == returning_officer.post(there, later).status_code
    with site.database.read() as db:
        assert datetime(2026, 3, 21, 17, 0, tzinfo=UTC) == db.get_one(Election, uuid).closes_at
    assert "The site was down." in text_of(anybody.get(f"/m/{meeting}/journal"))


def test_tidying_unlinks_members_from_credentials(
    site: Site, meeting: str, returning_officer: Visitor, new_officer: Callable[..., Visitor]
) -> None:
    uuid = make_ballot(returning_officer, meeting, practice="y")
    returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()})
    returning_officer.post(f"/officer/e/{uuid}/void", {"code": returning_officer.digits(), "reason": "A rehearsal."})
    deputy = new_officer("deputy")
    assert "may not do this" in text_of(deputy.post(f"/officer/e/{uuid}/tidy", {"code": deputy.digits()}))
    assert 303 == returning_officer.post(f"/officer/e/{uuid}/tidy", {"code": returning_officer.digits()}).status_code
    with site.database.read() as db:
        assert [] == list(db.exec(select(Electorate)))


def test_where_the_secretary_makes_the_codes_the_site_hands_out_links_without_codes_and_takes_in_public_halves(
    site: Site, returning_officer: Visitor
) -> None:
    made = returning_officer.post("/officer/meetings/new", {"name": "2026 AGM", "two_people": "no", "codes": "secretary"})
    meeting = made.headers["Location"].rsplit("/", 1)[1]
    upload(returning_officer, meeting)
    freeze(returning_officer, meeting)
    there = f"/officer/m/{meeting}/registrar"
    early = returning_officer.post(there, {"download-code": returning_officer.digits()})
    assert "Add the ballots first" in text_of(early)
    uuid = make_ballot(returning_officer, meeting, practice="y")
    assert "Voting codes" in text_of(returning_officer.get(f"/officer/e/{uuid}"))
    links = returning_officer.post(there, {"download-code": returning_officer.digits()}).get_data(as_text=True)
    rows = list(csv.DictReader(io.StringIO(links)))
    assert 6 == len(rows)
    assert all(row["link"].startswith("https://vote.example.org/vote#") for row in rows)
    assert not any(re.search(r"\.\w{5}-\w{6}-\w{5}-\w{6}$", row["link"]) for row in rows)

    def public_halves(handles: list[str]) -> str:
        codes = {handle: derive_code(b"a key of the secretary's own    ", meeting, handle) for handle in handles}
        return "handle,credential\n" + "".join(f"{handle},{public(uuid, code)}\n" for handle, code in codes.items())

    def send(content: str):  # type: ignore[no-untyped-def]
        fields = {f"{uuid}-file": (io.BytesIO(content.encode()), "list.csv"), f"{uuid}-code": returning_officer.digits()}
        return returning_officer.post(f"/officer/e/{uuid}/credentials", fields, page=there)

    handles = [row["handle"] for row in rows]
    assert "1 members are missing" in text_of(send(public_halves(handles[1:])))
    assert "must begin with the headings" in text_of(send("nonsense"))
    done = send(public_halves(handles))
    assert 303 == done.status_code, text_of(done)
    assert 303 == returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()}).status_code
    refused = returning_officer.post(f"/officer/m/{meeting}/send", {"code": returning_officer.digits()})
    assert "the membership secretary makes the codes and sends the e-mails" in text_of(refused)
