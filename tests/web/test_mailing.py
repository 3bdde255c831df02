"""The officers' mail pages by form: words, preview, test mail, sending, what failed, pasted reports, and what an observer sees."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest
from sqlmodel import select

from ballot.app import Site
from ballot.models import Mailing, Outbox, RollEntry
from ballot.services import wording
from ballot.services.mail import Action, Report, State
from tests.services.reports import postfix
from tests.web.conftest import Visitor, text_of
from tests.web.test_journey import freeze, make_ballot, make_meeting, upload

ROLL = """Name,Email,Membership type,Status,Joined
Ann Archer,ann@example.org,Full member,Active,2020-01-01
Ben Bold,ben@example.org,Full member,Active,2020-01-01
Cat Cole,cat@example.org,Full member,Active,2020-01-01
"=Dev Dunn",dev@example.org,Full member,Active,2020-01-01
Ro Officer,returning-officer@example.org,Full member,Active,2020-01-01
"""


@pytest.fixture
def meeting(returning_officer: Visitor) -> str:
    """A meeting with a locked practice ballot, whose returning officer is a member too."""
    made = make_meeting(returning_officer)
    upload(returning_officer, made, ROLL)
    freeze(returning_officer, made)
    uuid = make_ballot(returning_officer, made, practice="y")
    assert 303 == returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()}).status_code
    return made


def rows(site: Site, kind: str = "invitation") -> list[Outbox]:
    with site.database.read() as db:
        return list(db.exec(select(Outbox).where(Outbox.kind == kind)).all())


def settle(site: Site, **states: str) -> None:
    """As if a mail server had answered: address before the @ → state; the others were accepted."""
    with site.database.write() as db:
        names = {e.handle: e.email.partition("@")[0] for e in db.exec(select(RollEntry))}
        for row in db.exec(select(Outbox).where(Outbox.kind == "invitation")):
            row.state = states.get(names[str(row.handle)], State.ACCEPTED)
            if row.state == State.FAILED:
                row.status, row.detail = "5.1.1", "550 5.1.1 no such mailbox"
            elif row.state == State.ACCEPTED:
                row.sealed = None
            row.done_at = site.clock.now()
            db.add(row)


def send_all(officer: Visitor, meeting: str) -> None:
    assert 303 == officer.post(f"/officer/m/{meeting}/send", {"code": officer.digits()}).status_code


# --- words --------------------------------------------------------------------------------------------------------


def test_preview_keeps_what_was_typed_and_saves_nothing(site: Site, meeting: str, returning_officer: Visitor) -> None:
    here = f"/officer/m/{meeting}/messages/invitation"
    seen = returning_officer.post(here, {"act": "preview", "introduction": "Bring <b>cake</b>.", "subject": "Cake and votes"})
    page = seen.get_data(as_text=True)
    assert 200 == seen.status_code
    assert 3 <= page.count("Bring &lt;b&gt;cake&lt;/b&gt;.")  # in the field, as text, and in the formatted one
    assert "<b>cake" not in page
    assert "Cake and votes: closes Friday 20 March, 5pm" in text_of(seen)
    assert "Bring" not in text_of(returning_officer.get(here))


def test_words_are_saved_for_one_meeting_and_kind(site: Site, meeting: str, returning_officer: Visitor) -> None:
    here = f"/officer/m/{meeting}/messages"
    assert 303 == returning_officer.post(f"{here}/reminder", {"act": "save", "introduction": "Please vote."}).status_code
    assert "Please vote." in text_of(returning_officer.get(f"{here}/reminder"))
    assert "Please vote." not in text_of(returning_officer.get(f"{here}/invitation"))
    overview = text_of(returning_officer.get(here))
    assert 1 == overview.count("Your own words")
    other = make_meeting(returning_officer)
    assert "Please vote." not in text_of(returning_officer.get(f"/officer/m/{other}/messages/reminder"))


def test_words_that_cannot_go_out_are_refused_by_every_button(site: Site, meeting: str, returning_officer: Visitor) -> None:
    for fields, says in (
        ({"introduction": "x" * 3001}, "3,001 characters long"),
        ({"introduction": "Vote: https://vote.example.org/vote#x"}, "looks like a voting link"),
        ({"introduction": "Vote: https://evote.example.net/voting"}, "looks like a voting link"),
        ({"subject": "x" * 101}, "100 characters or fewer"),
        ({"subject": "TEST of votes"}, "cannot begin with TEST"),
        ({"subject": "Votes\u2028Bcc: all@example.org"}, "on one line"),
    ):
        for act in ("save", "preview", "test"):
            refused = returning_officer.post(f"/officer/m/{meeting}/messages/invitation", {"act": act, **fields})
            assert 422 == refused.status_code
            assert says in text_of(refused)
    assert [] == rows(site, "test")
    with site.database.read() as db:
        assert wording.NEVER == wording.words_of(db, meeting, wording.Kind.INVITATION).changed_at


def test_send_to_me_goes_to_the_signed_in_officer_alone_and_not_too_often(site: Site, meeting: str, returning_officer: Visitor) -> None:
    for kind in ("invitation", "reminder", "result"):
        said = returning_officer.post(f"/officer/m/{meeting}/messages/{kind}", {"act": "test", "introduction": "My words."})
        assert "on its way to returning-officer@example.org" in text_of(said)
        assert "My words." in text_of(said)
    texts = [site.mailer.open(row) for row in rows(site, "test")]
    assert 3 == len(texts)
    for text in texts:
        assert "returning-officer@example.org" == text.recipient
        assert text.subject.startswith("TEST: ")
        assert "My words." in text.plain
        assert not re.search(r"vote#(?!each-member-has-a-link)", text.plain + text.html)
    for _ in range(8):
        last = returning_officer.post(f"/officer/m/{meeting}/messages/invitation", {"act": "test"})
    assert "Enough test e-mails for now" in text_of(last)
    assert 10 == len(rows(site, "test"))


def test_the_live_preview_answers_with_text_alone(meeting: str, returning_officer: Visitor) -> None:
    page = f"/officer/m/{meeting}/messages/invitation"
    good = returning_officer.post(f"{page}/live", {"introduction": "<script>x</script> Hello."}, page=page)
    assert "application/json" == good.mimetype
    assert "<script>x</script> Hello." in good.json["plain"]
    bad = returning_officer.post(f"{page}/live", {"introduction": "https://x.example/vote"}, page=page)
    assert "looks like a voting link" in bad.json["problems"][0]
    assert "plain" not in bad.json


# --- sending ------------------------------------------------------------------------------------------------------


def test_the_officers_who_are_members_get_it_first(site: Site, meeting: str, returning_officer: Visitor) -> None:
    page = returning_officer.get(f"/officer/m/{meeting}/send").get_data(as_text=True)
    box = re.search(r'<input checked[^>]*name="first"[^>]*value="([^"]+)"', page)
    assert box is not None
    unknown = returning_officer.post(
        f"/officer/m/{meeting}/send", {"first": box[1], "others": "nobody@example.org", "code": returning_officer.digits()}
    )
    assert 422 == unknown.status_code
    assert "nobody@example.org is not on the list of this meeting." in text_of(unknown)
    sent = returning_officer.post(
        f"/officer/m/{meeting}/send", {"first": box[1], "others": "ANN@example.org\n", "code": returning_officer.digits()}
    )
    assert 303 == sent.status_code
    assert {"returning-officer@example.org", "ann@example.org"} == {site.mailer.open(row).recipient for row in rows(site)}
    sending = returning_officer.get(f"/officer/m/{meeting}/sending")
    assert "Send to 3 other members" in text_of(sending)
    (mailing,) = _mailings(site)
    everybody = f"/officer/m/{meeting}/sending/{mailing.id}/everybody"
    refused = returning_officer.post(everybody, {"code": "000000"}, page=f"/officer/m/{meeting}/sending")
    assert 422 == refused.status_code
    assert 2 == len(rows(site))
    done = returning_officer.post(everybody, {"code": returning_officer.digits()}, page=f"/officer/m/{meeting}/sending")
    assert 303 == done.status_code
    assert 5 == len(rows(site))


def _mailings(site: Site) -> list[Mailing]:
    with site.database.read() as db:
        return list(db.exec(select(Mailing)).all())


def test_a_deputy_sends_and_pauses_but_sees_no_names(
    site: Site, meeting: str, returning_officer: Visitor, new_officer: Callable[..., Visitor]
) -> None:
    deputy = new_officer("deputy")
    assert "Others who get it first" not in text_of(deputy.get(f"/officer/m/{meeting}/send"))
    send_all(deputy, meeting)
    settle(site, ann=State.FAILED)
    page = deputy.get(f"/officer/m/{meeting}/sending")
    assert "The membership secretary can put that right" in text_of(page)
    assert "mail-problems" not in page.get_data(as_text=True)
    (mailing,) = _mailings(site)
    there = f"/officer/m/{meeting}/sending"
    for word in ("pause", "resume"):
        assert 303 == deputy.post(f"{there}/{mailing.id}/{word}", page=f"/officer/m/{meeting}/send").status_code
        assert (word == "pause") is (_mailings(site)[0].paused_at is not None)


def test_a_mailing_of_another_meeting_is_not_found_here(site: Site, meeting: str, returning_officer: Visitor) -> None:
    send_all(returning_officer, meeting)
    other = make_meeting(returning_officer)
    there = f"/officer/m/{other}/sending/{_mailings(site)[0].id}/pause"
    assert 404 == returning_officer.post(there, page=f"/officer/m/{meeting}/sending").status_code
    assert _mailings(site)[0].paused_at is None


def test_the_page_says_when_no_sender_is_at_work(site: Site, meeting: str, returning_officer: Visitor) -> None:
    send_all(returning_officer, meeting)
    assert "The mail sender is not at work. It was never seen." in text_of(returning_officer.get(f"/officer/m/{meeting}/sending"))
    assert "Never seen." in text_of(returning_officer.get(f"/officer/m/{meeting}"))
    figures = returning_officer.get(f"/officer/m/{meeting}/sending.json").json
    assert "5" == figures["figures"][f"{_mailings(site)[0].id}.waiting"]


# --- what failed --------------------------------------------------------------------------------------------------


def test_what_failed_is_listed_with_a_way_to_mend_it_and_as_a_file(site: Site, meeting: str, returning_officer: Visitor) -> None:
    assert "None." in text_of(returning_officer.get(f"/officer/m/{meeting}/mail-problems"))
    send_all(returning_officer, meeting)
    settle(site, ann=State.FAILED, dev=State.FAILED, ben=State.UNKNOWN)
    page = returning_officer.get(f"/officer/m/{meeting}/mail-problems")
    words = text_of(page)
    assert "3 members may not have their link." in words
    assert "2: no such address" in words
    assert "1: not known whether it arrived" in words
    assert re.search(rf"/officer/m/{meeting}/members/\w+\">Ann Archer", page.get_data(as_text=True))
    file = returning_officer.get(f"/officer/m/{meeting}/mail-problems.csv").get_data().decode("utf-8-sig")
    lines = list(csv.DictReader(io.StringIO(file)))
    assert ["'=Dev Dunn", "Ann Archer", "Ben Bold"] == [line["name"] for line in lines]
    assert "no such address" == lines[1]["reason"]
    assert not any(cell.startswith(("=", "+", "-", "@")) for line in lines for cell in line.values())
    there = f"/officer/m/{meeting}/mail-problems"
    assert 303 == returning_officer.post(f"/officer/m/{meeting}/retry", page=there).status_code
    assert {State.WAITING: 2, State.UNKNOWN: 1, State.ACCEPTED: 2} == _states(site)
    assert 303 == returning_officer.post(f"/officer/m/{meeting}/retry", {"which": "unknown"}, page=there).status_code
    assert {State.WAITING: 3, State.ACCEPTED: 2} == _states(site)


def _states(site: Site) -> dict[str, int]:
    found: dict[str, int] = {}
    for row in rows(site):
        found[row.state] = found.get(row.state, 0) + 1
    return found


def test_a_pasted_report_is_put_down_at_its_member(site: Site, meeting: str, returning_officer: Visitor) -> None:
    send_all(returning_officer, meeting)
    settle(site)
    here = f"/officer/m/{meeting}/bounce"
    row = rows(site)[0]
    report = postfix("ballots@example.org", row.message_id).decode()
    said = returning_officer.post(here, {"report": report})
    assert "The address is wrong or closed, so it needs correcting." in text_of(said)
    assert f"/members/{row.handle}" in said.get_data(as_text=True)
    assert {State.BOUNCED: 1, State.ACCEPTED: 4} == _states(site)
    unmatched = postfix("ballots@example.org", "<x@elsewhere.example>").decode().replace("member1@example.org", "cat@example.org")
    answer = returning_officer.post(here, {"report": unmatched})
    assert 422 == answer.status_code
    assert "does not say which of our e-mails it is about" in text_of(answer)
    assert "Help Cat Cole" in text_of(answer)
    for junk, says in (
        ("", "Paste the delivery report"),
        ("hello", "This is not a delivery report"),
        ("x" * 300_000, "250000 characters or fewer"),
    ):
        refused = returning_officer.post(here, {"report": junk})
        assert 422 == refused.status_code
        assert says in text_of(refused)
    assert 413 == returning_officer.post(here, {"report": "x" * 600_000}).status_code
    assert {State.BOUNCED: 1, State.ACCEPTED: 4} == _states(site)


# --- the observer -------------------------------------------------------------------------------------------------


def test_an_observer_sees_figures_reasons_heads_and_acts_and_no_names(
    site: Site, meeting: str, returning_officer: Visitor, new_officer: Callable[..., Visitor]
) -> None:
    send_all(returning_officer, meeting)
    settle(site)
    with site.database.write() as db:
        cat = db.exec(select(Outbox).join(RollEntry, RollEntry.handle == Outbox.handle).where(RollEntry.email == "cat@example.org")).one()
        site.mailer.report(db, Report(Action.FAILED, "5.2.2", "full", (), (cat.message_id,), ()), site.clock.now())
    observer = new_officer("observer")
    front = observer.get("/officer/").get_data(as_text=True)
    assert f"/officer/m/{meeting}/observe" in front
    assert "/officer/e/" not in front
    page = observer.get(f"/officer/m/{meeting}/observe")
    words = text_of(page)
    assert "Members who can vote 5" in words
    assert "Bounced 1" in words
    assert "The mailbox is full 1" in words
    assert "Length of the chain 1 Head of the chain" in words  # the set-up
    assert "links sent" in words.casefold()
    for person in ("Ann", "Ben", "Cat", "Dunn", "@example.org", cat.handle):
        assert person not in page.get_data(as_text=True).replace("observer@example.org", "")
    assert "<form" not in page.get_data(as_text=True).partition("<main")[2]
    for path in ("", "/send", "/sending", "/messages", "/mail-problems", "/members", "/roll", "/bounce", "/remind", "/result-mail"):
        assert 403 == observer.get(f"/officer/m/{meeting}{path}").status_code, path


def test_asking_a_second_person_tells_the_other_officers_by_mail(
    site: Site, returning_officer: Visitor, new_officer: Callable[..., Visitor]
) -> None:
    meeting = make_meeting(returning_officer, two_people="yes")
    upload(returning_officer, meeting, ROLL)
    freeze(returning_officer, meeting)
    new_officer("deputy")
    with site.database.read() as db:
        handle = next(e.handle for e in db.exec(select(RollEntry)) if e.email == "ann@example.org")
    new_officer("membership-secretary")
    asked = returning_officer.post(
        f"/officer/m/{meeting}/members/{handle}/reissue", {"cause": "the member asked", "code": returning_officer.digits()},
        page=f"/officer/m/{meeting}/members/{handle}",
    )  # fmt: skip
    assert 303 == asked.status_code, text_of(asked)
    texts = [site.mailer.open(row) for row in rows(site, "second")]
    assert {"deputy@example.org", "membership-secretary@example.org"} == {text.recipient for text in texts}
    for text in texts:
        assert "Send a member a new link" in text.plain
        assert "Ann" not in text.plain + text.html
