"""The list of members by form and button: every kind of wrong file, doors between officers, large lists, and what stays out of logs."""

from __future__ import annotations

import io
import logging
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from sqlmodel import select

from ballot.app import Site
from ballot.models import Roll, RollEntry, RollUpload
from ballot.services.clock import FixedClock
from tests.web.conftest import Visitor, hidden_fields, text_of
from tests.web.test_journey import ROLL, choose_columns, choose_file, make_meeting, save, upload

HEAD = "Name,Email,Membership type\n"
ANN = "Ann Archer,ann@example.org,Full member\n"


@pytest.fixture
def meeting(returning_officer: Visitor) -> str:
    return make_meeting(returning_officer)


def waiting_id(officer: Visitor, meeting: str) -> str:
    return hidden_fields(officer.get(f"/officer/m/{meeting}/roll/row/2").get_data(as_text=True)).get("upload", "")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"", "an empty file"),
        (b"\xef\xbb\xbf\r\n", "an empty file"),
        (b"\x00\x01", "a binary file"),
        (b"\x89PNG\r\n\x1a\n\x00\x00", "a binary file"),
        (b"PK\x03\x04\x14\x00\x06\x00[Content_Types].xml", "a spreadsheet or PDF. Open it, choose “Save as”, then “CSV UTF-8”"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "a spreadsheet or PDF"),
        ("Name,Email\n".encode("utf-16"), "a file in UTF-16"),
        (b"Name\nAnn\nBen\n", "one column only, without e-mail addresses"),
        (HEAD.encode(), "found headings, and no members under them"),
        (b'Name,Email,Type\n"Ann,ann@example.org,Full member\n', "Row 2: found a file that is not CSV"),
        (b"\n\nName,Email\n", "no headings"),
        (b"Name,Email\nAnn,\x81\xff\n", "Row 2: found bytes that are no text"),
    ],
)
def test_a_file_that_is_no_list_gives_one_clear_sentence_and_keeps_nothing(
    site: Site, returning_officer: Visitor, meeting: str, content: bytes, expected: str
) -> None:
    response = choose_file(returning_officer, meeting, content)
    assert 422 == response.status_code
    assert expected in text_of(response)
    assert "There is a problem" in text_of(response)
    assert "2026-01-01" in response.get_data(as_text=True)  # the cut-off date was kept
    with site.database.read() as db:
        assert [] == list(db.exec(select(RollUpload)))
        assert [] == list(db.exec(select(RollEntry)))


def test_fifty_megabytes_that_are_no_list_are_refused_kindly_and_more_than_64_are_not_read(
    returning_officer: Visitor, meeting: str
) -> None:
    assert "a binary file" in text_of(choose_file(returning_officer, meeting, bytes(50 * 1024 * 1024)))
    refused = choose_file(returning_officer, meeting, bytes(65 * 1024 * 1024))
    assert (413, True) == (refused.status_code, "too large" in text_of(refused))


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"email": ""}, "Choose the column that has the e-mail addresses."),
        ({"category": ""}, "Choose the column that tells full members from supporters"),
        ({"name": "Email"}, "“Email” is chosen for “E-mail address” too."),
        ({"everybody": "y"}, "Untick this"),
        ({"email": "No such column"}, "Not a valid choice"),
    ],
)
def test_a_column_that_is_missing_or_taken_twice_is_told_by_its_field(
    returning_officer: Visitor, meeting: str, changes: dict[str, str], expected: str
) -> None:
    choose_file(returning_officer, meeting, HEAD + ANN)
    response = choose_columns(returning_officer, meeting, **changes)
    assert 422 == response.status_code
    assert expected in text_of(response)


def test_a_list_without_headings_and_of_full_members_only(returning_officer: Visitor, meeting: str) -> None:
    choose_file(returning_officer, meeting, "Ann;ann@example.org\nBen;ben@example.org\n")
    page = text_of(returning_officer.get(f"/officer/m/{meeting}/roll/columns"))
    assert "We took the first line for a member" in page
    assert 303 == choose_columns(returning_officer, meeting, name="Column 1", everybody="y").status_code
    assert "2 can vote 0 cannot 0 need a decision" in text_of(returning_officer.get(f"/officer/m/{meeting}/roll/check"))
    returning_officer.post(f"/officer/m/{meeting}/roll/columns", {"headings": "yes"})
    page = text_of(returning_officer.get(f"/officer/m/{meeting}/roll/columns"))
    assert "We took the first line for headings." in page
    assert "We read 1 row and 2 columns" in page


def test_nobody_who_can_vote_is_said_before_anything_is_saved(returning_officer: Visitor, meeting: str) -> None:
    page = text_of(upload(returning_officer, meeting, HEAD + "Sam,sam@example.org,Supporter\n"))
    assert "Nobody in this file can vote" in page
    assert "Go on to save" not in page


def test_formula_cells_are_text_on_the_page_and_defused_in_the_download(returning_officer: Visitor, meeting: str) -> None:
    upload(returning_officer, meeting, HEAD + '"=1+1",ann@example.org,Full member\n"@SUM(1)",,Full member\n"<script>x</script>",,Full\n')
    page = returning_officer.get(f"/officer/m/{meeting}/roll/check?show=cannot").get_data(as_text=True)
    assert "<script>x" not in page
    rows = returning_officer.get(f"/officer/m/{meeting}/roll/attention.csv").get_data(as_text=True)
    assert "3,,'@SUM(1)," in rows


def test_a_list_that_waits_is_its_officers_own_and_goes_with_them(
    site: Site, clock: FixedClock, returning_officer: Visitor, meeting: str, new_officer: Callable[..., Visitor]
) -> None:
    upload(returning_officer, meeting)
    secretary = new_officer("membership-secretary")
    assert 303 == secretary.get(f"/officer/m/{meeting}/roll/check").status_code
    assert "A list waits to be saved" not in text_of(secretary.get(f"/officer/m/{meeting}/roll"))
    assert "A list waits to be saved" in text_of(returning_officer.get(f"/officer/m/{meeting}/roll"))
    returning_officer.post("/officer/sign-out", page="/officer/")
    with site.database.read() as db:
        assert [] == list(db.exec(select(RollUpload)))
    upload(secretary, meeting)
    clock.moment += timedelta(days=2)
    with site.database.read() as db:
        assert 1 == len(db.exec(select(RollUpload)).all())


def test_discarding_leaves_the_saved_list_alone(site: Site, returning_officer: Visitor, meeting: str) -> None:
    upload(returning_officer, meeting, HEAD + ANN)
    assert 303 == save(returning_officer, meeting).status_code
    upload(returning_officer, meeting, ROLL)
    returning_officer.post(f"/officer/m/{meeting}/roll/discard", page=f"/officer/m/{meeting}/roll")
    with site.database.read() as db:
        assert ("Full members, March", 1) == (db.get_one(Roll, meeting).name, db.get_one(Roll, meeting).included)
        assert [] == list(db.exec(select(RollUpload)))


def test_what_needs_a_decision_cannot_be_saved_and_can_be_left_out_at_once(returning_officer: Visitor, meeting: str) -> None:
    there = f"/officer/m/{meeting}/roll"
    upload(returning_officer, meeting, HEAD + ANN + "Ben,ben@example.org,Honorary\nCy,cy@example.org,Patron\n")
    assert 303 == returning_officer.get(f"{there}/save").status_code
    key = waiting_id(returning_officer, meeting)
    sent = {"upload": key, "name": "x", "then": "keep", "code": returning_officer.digits()}
    refused = returning_officer.post(f"{there}/save", sent, page=f"{there}/check")
    assert (422, True) == (refused.status_code, "2 rows need a decision" in text_of(refused))
    assert 303 == returning_officer.post(f"{there}/check", {"upload": key, "what": "all-out"}).status_code
    assert "1 can vote 2 cannot 0 need a decision" in text_of(returning_officer.get(f"{there}/check"))
    undone = returning_officer.post(f"{there}/check", {"upload": key, "what": "undo", "row": "4", "show": "cannot", "page": "1"})
    assert f"{there}/check?show=cannot&page=1&done=4" == undone.headers["Location"]
    assert "Row 4, Cy: needs a decision." in text_of(returning_officer.get(undone.headers["Location"]))


@pytest.mark.parametrize(
    "sent", [{"what": "in", "row": "99"}, {"what": "eat", "row": "2"}, {"what": "in", "row": "-1"}, {}, {"row": "1e9"}]
)
def test_a_decision_that_no_page_offers_changes_nothing(returning_officer: Visitor, meeting: str, sent: dict[str, str]) -> None:
    there = f"/officer/m/{meeting}/roll"
    upload(returning_officer, meeting, HEAD + ANN)
    response = returning_officer.post(
        f"{there}/check", {"upload": waiting_id(returning_officer, meeting), **sent}, page=f"{there}/check?show=can"
    )
    assert 303 == response.status_code
    assert "1 can vote 0 cannot 0 need a decision" in text_of(returning_officer.get(f"{there}/check"))


def test_addresses_and_logs_hold_nothing_of_a_member(
    returning_officer: Visitor, meeting: str, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    there = f"/officer/m/{meeting}/roll"
    upload(returning_officer, meeting, HEAD + ANN + "Canary Name,canary at example,Full\n")
    key = waiting_id(returning_officer, meeting)
    changed = {"upload": key, "email": "canary@example.org", "name": "Canary Name", "category": "Full", "show": "can", "page": "1"}
    saved = returning_officer.post(f"{there}/row/3", changed)
    assert 303 == saved.status_code
    found = returning_officer.post(f"{there}/find", {"find-text": "canary"}, page=f"{there}/check")
    assert "Found: 1 row" in text_of(found)
    assert "canary" not in saved.headers["Location"]
    assert not [record for record in caplog.records if "canary" in record.getMessage().casefold() and "/roll" not in record.name]
    assert "canary" not in "".join(capfd.readouterr()).casefold()


def test_twenty_thousand_rows_come_in_pages_each_within_a_second(returning_officer: Visitor, meeting: str) -> None:
    rows = (f"Member {n},member{n}@mail{n % 50}.example.org,{'Full member' if n % 10 else 'Supporter'}\n" for n in range(20_000))
    page = upload(returning_officer, meeting, HEAD + "".join(rows))
    assert "18,000 can vote 2,000 cannot" in text_of(page)
    fastest = 9.0
    for address in ("show=can&page=360", "show=cannot&page=2&reason=supporter", "show=can&page=9999999"):
        begun = time.process_time()
        response = returning_officer.get(f"/officer/m/{meeting}/roll/check?{address}")
        fastest = min(fastest, time.process_time() - begun)
        assert 200 == response.status_code
        assert 100_000 > len(response.get_data())
    assert 1 > fastest
    assert "Page 360 of 360" in text_of(returning_officer.get(f"/officer/m/{meeting}/roll/check?show=can&page=9999999"))


def test_sections_of_the_list_become_electorates(returning_officer: Visitor, meeting: str) -> None:
    head = "Name,Email,Membership type,Area,Local party,Equality\n"
    upload(
        returning_officer, meeting, head + "Ann,ann@example.org,Full,Tyne,Gateshead,women; young\nBen,ben@example.org,Full,Tees,Redcar,\n"
    )
    assert "Parts of the organisation: 6" in text_of(returning_officer.get(f"/officer/m/{meeting}/roll/save"))
    assert 303 == save(returning_officer, meeting, "freeze").status_code
    page = text_of(returning_officer.get(f"/officer/m/{meeting}/elections/new/motion"))
    for words in ("Tyne (sub-region): 1 member", "Gateshead (constituency): 1 member", "young (group): 1 member"):
        assert words in page


def test_a_list_uploaded_by_one_worker_is_mended_by_another(site: Site, returning_officer: Visitor, meeting: str) -> None:
    """Nothing of it is in a process: the second application knows only the database and the keys."""
    from ballot.app import create_app

    upload(returning_officer, meeting, HEAD + ANN)
    other = create_app(site.config, clock=site.clock, database=site.database, keys=site.keys)
    second = other.test_client()
    for cookie in ("__Host-officer", "__Host-form"):
        found = returning_officer.client.get_cookie(cookie, domain="vote.example.org")
        if found is not None:
            second.set_cookie(cookie, found.value, domain="vote.example.org", secure=True)
    response = second.get(f"/officer/m/{meeting}/roll/check?show=can", base_url=site.config.public_url)
    assert "Ann Archer" in text_of(response)


def test_mended_rows_that_are_another_file_are_told_so(returning_officer: Visitor, meeting: str) -> None:
    there = f"/officer/m/{meeting}/roll"
    upload(returning_officer, meeting, HEAD + ANN + "Ben,,Full member\n")
    sent = {"mended-file": (io.BytesIO(b"Name,Email\nAnn,a@example.org\n"), "x.csv")}
    response = returning_officer.post(f"{there}/mended", sent, page=f"{there}/check")
    assert (422, True) == (response.status_code, "found another file" in text_of(response))
    mended = b"Row in the list,Email\r\n3,ben@example.org\r\n"
    response = returning_officer.post(f"{there}/mended", {"mended-file": (io.BytesIO(mended), "x.csv")}, page=f"{there}/check")
    assert 303 == response.status_code
    assert "2 can vote 0 cannot" in text_of(returning_officer.get(f"{there}/check"))


def test_a_mended_value_stays_and_the_others_follow_when_the_columns_are_chosen_again(returning_officer: Visitor, meeting: str) -> None:
    there = f"/officer/m/{meeting}/roll"
    head = "Name,Known as,Email,Membership type\n"
    upload(returning_officer, meeting, head + "Ann Archer,Annie,ann at example,Full\n")
    assert "go on with the list of members" in text_of(returning_officer.get(f"/officer/m/{meeting}"))
    sent = {"upload": waiting_id(returning_officer, meeting), "name": "Ann Archer", "email": "ann@example.org", "category": "Full"}
    assert 303 == returning_officer.post(f"{there}/row/2", sent).status_code
    choose_columns(returning_officer, meeting, name="Known as")
    page = text_of(returning_officer.get(f"{there}/check?show=can"))
    assert "Annie · ann@example.org" in page
