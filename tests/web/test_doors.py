"""Each door is tried by each role; what is not opened on purpose stays shut. The table below is written by hand, not read from the code."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from flask import Flask
from sqlmodel import select
from werkzeug.routing import Rule

from ballot.app import Site, create_app
from ballot.models import Approval, Mailing, RollEntry
from ballot.services.keys import Keys
from ballot.web import headers
from ballot.web.access import Role, check_marks, mark_of, open_to
from tests.web.conftest import Visitor
from tests.web.test_journey import freeze, make_ballot, make_meeting, upload
from tests.web.test_sign_in import link_for

RO, DEP, MS, OBS = "returning-officer", "deputy", "membership-secretary", "observer"
EVERYBODY = frozenset({"anonymous", "half-way", RO, DEP, MS, OBS})
TABLE = (
    # public pages and files, and the first steps of signing in
    (
        EVERYBODY,
        """static board.front board.how board.election board.ballot_box board.check board.result board.rankings_file board.archive
        board.count_file board.results_file board.companion board.checkpoint board.checkpoint_key board.show_journal board.journal_file
        board.roll_leaves api.archive_header api.last_event api.one_object api.election api.trustees api.credentials api.archive
        api.companion officer.sign_in officer.ask_for_link officer.mailed_code officer.use_mailed_code trustee_api.welcome
        board.verify health.alive health.ready help.overview help.page theme.css theme.logo""",
    ),
    # between the mailed code and the six digits, and after
    (
        EVERYBODY - {"anonymous"},
        "officer.second_factor officer.use_second_factor officer.enrol officer.use_enrol officer.sign_out",
    ),
    # every officer
    ({RO, DEP, MS, OBS}, "officer.my_ballots officer.observe officer.account officer.new_recovery_codes"),
    # all but observers
    (
        {RO, DEP, MS},
        """officer.one_meeting officer.one_election officer.questions officer.key_holders officer.tally_page
        officer.practice_page officer.messages officer.sending officer.sending_figures""",
    ),
    # who runs a ballot
    (
        {RO, DEP},
        """officer.new_meeting officer.make_meeting officer.choose_kind officer.new_election officer.make_election officer.edit_details
        officer.save_details officer.new_question officer.add_question officer.edit_question officer.save_question
        officer.remove_question officer.name_key_holders officer.note_who_is_free officer.new_link officer.act_page officer.do_act
        officer.later_page officer.close_later officer.begin_tally
        officer.open_practice officer.record_lot officer.record_withdrawal officer.send_page officer.send officer.remind
        officer.remind_page officer.send_to_everybody officer.pause_mailing officer.result_mail_page officer.mail_result
        officer.message officer.change_message officer.live_message""",
    ),
    # who sees members' names
    (
        {RO, MS},
        """officer.show_roll officer.upload_roll officer.freeze_roll officer.left_out officer.choose_columns officer.save_columns
        officer.explain_words officer.save_words officer.check_list officer.decide_row officer.find_row officer.edit_row officer.save_row
        officer.attention_file officer.upload_mended officer.discard_upload officer.save_page officer.save_roll
        officer.members officer.member officer.resend
        officer.change_link officer.registrar_page officer.registrar_list officer.receive_credentials officer.retry
        officer.mail_problems officer.mail_problems_file officer.bounce_page officer.paste_bounce""",
    ),
    # a meeting's own page
    (EVERYBODY, "board.meeting_page board.ask board.send_link board.report_page"),
    # practice, deletion, lost keys
    ({RO, MS}, "officer.make_card officer.print_card"),
    ({RO, DEP}, "officer.make_practice officer.tidy_date officer.save_tidy_date officer.repeat officer.key_is_lost"),
    # the second of two people
    ({RO, DEP, MS}, "officer.approval_page officer.agree"),
)
DOORS = {endpoint: frozenset(roles) for roles, endpoints in TABLE for endpoint in endpoints.split()}
OTHERS = ("booth.", "trustee_api.", "dev.", "health.metrics")  # their keys are tokens, not roles: tested on their own


@pytest.fixture
def places(site: Site, returning_officer: Visitor) -> dict[str, str]:
    """Something real at every address."""
    meeting = make_meeting(returning_officer)
    upload(returning_officer, meeting)
    freeze(returning_officer, meeting)
    uuid = make_ballot(returning_officer, meeting, practice="y")
    returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()})
    now = site.clock.now()
    with site.database.write() as db:
        handle = db.exec(select(RollEntry)).first()
        assert handle is not None
        approval = Approval(
            id="A" * 22, meeting_id=meeting, act="void", subject=uuid, asked_by="x", asked_at=now, expires_at=now.replace(year=2030)
        )
        db.add(approval)
        begun = {"begun_at": now, "begun_by": "x", "begun_role": RO, "stage": "first", "first": [handle.handle]}
        db.add(Mailing(id="B" * 22, meeting_id=meeting, key="invitation", kind="invitation", **begun))
    words = {"kind": "motion", "filename": "style.css", "message_id": "nobody", "message": "cert", "word": "lock"}
    words |= {"form": "csv", "role": "host"}
    numbers = {"number": "1", "row": "2", "owner": "1", "object_hash": "0" * 64}
    ids = {"uuid": uuid, "meeting_id": meeting, "handle": handle.handle, "approval_id": "A" * 22, "mailing_id": "B" * 22}
    return {**ids, **words, **numbers}


def address(rule: Rule, places: dict[str, str]) -> str:
    filled = {**places, "word": next((word for word in ("reissue", "pause") if word in rule.rule), places["word"])}
    filled["kind"] = "invitation" if "messages" in rule.rule else places["kind"]
    return re.sub(r"<(?:[^<>:]*(?:\([^)]*\))?:)?(\w+)>", lambda match: filled[match[1]], rule.rule)


def rules(app: Flask) -> Iterator[tuple[Rule, str]]:
    for rule in app.url_map.iter_rules():
        for method in sorted((rule.methods or set()) & {"GET", "POST", "PUT", "PATCH", "DELETE"}):
            yield rule, method


def test_every_view_is_in_the_table(app: Flask) -> None:
    found = {rule.endpoint for rule in app.url_map.iter_rules() if not rule.endpoint.startswith(OTHERS) or rule.endpoint in DOORS}
    assert DOORS.keys() == found


def test_role_table_each_door_opens_to_exactly_its_roles(
    app: Flask, site: Site, places: dict[str, str], new_visitor: Callable[[], Visitor], new_officer: Callable[..., Visitor]
) -> None:
    half_way = new_visitor()
    new_officer("observer", "half@example.org")
    half_way.post("/officer/sign-in/link", {"code": link_for(site, "half@example.org")})
    visitors = {"anonymous": new_visitor(), "half-way": half_way, **{role: new_officer(role) for role in (DEP, MS, OBS)}}
    visitors[RO] = new_officer(RO, "second-ro@example.org")
    wrong = []
    for rule, method in rules(app):
        if rule.endpoint not in DOORS:
            continue
        for role, visitor in visitors.items():
            if rule.endpoint == "officer.sign_out" and method == "POST":
                continue  # without the form's token it refuses, see below; with it the visitor would be gone
            response = visitor.client.open(address(rule, places), method=method, base_url=site.config.public_url)
            response.close()
            refused = response.status_code in {401, 403} or (
                response.status_code == 302 and response.headers["Location"] == "/officer/sign-in"
            )
            if refused is (role in DOORS[rule.endpoint]):
                wrong.append((role, method, rule.rule, response.status_code))
            if response.status_code >= 500:
                wrong.append((role, method, rule.rule, response.status_code))
    assert [] == wrong


def test_csrf_every_change_refuses_without_its_proof_and_from_another_site(
    app: Flask, site: Site, places: dict[str, str], returning_officer: Visitor
) -> None:
    client = returning_officer.client
    wrong = []
    for rule, method in rules(app):
        if method == "GET":
            continue
        there = address(rule, places)
        foreign = [{"Origin": "https://evil.example"}, {"Sec-Fetch-Site": "cross-site"}, {"Sec-Fetch-Site": "same-site", "X-Ballot": "1"}]
        for sent in ({}, *foreign):
            status = client.open(there, method=method, headers=sent, base_url=site.config.public_url).status_code
            if status not in ({400, 401, 403} if not sent else {403}):
                wrong.append((sent, method, rule.rule, status))
    assert [] == wrong


def snapshot(site: Site) -> list[str]:
    with site.database.read_connection() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        return list(driver.iterdump())


def test_reading_any_page_changes_nothing(app: Flask, site: Site, places: dict[str, str], returning_officer: Visitor) -> None:
    before = snapshot(site)
    for rule, method in rules(app):
        if method == "GET":
            for verb in ("GET", "HEAD"):
                response = returning_officer.client.open(address(rule, places), method=verb, base_url=site.config.public_url)
                assert response.status_code < 500, (verb, rule.rule)
                response.get_data()
                response.close()
    assert before == snapshot(site)


def test_a_view_without_a_mark_stops_the_start(app: Flask) -> None:
    fresh = Flask("fresh")
    fresh.add_url_rule("/open", "open", open_to(Role.PUBLIC)(lambda: "open"))
    fresh.view_functions["static"] = open_to(Role.PUBLIC)(fresh.view_functions["static"])
    check_marks(fresh)
    fresh.add_url_rule("/forgotten", "forgotten", lambda: "oops")
    with pytest.raises(RuntimeError, match="forgotten"):
        check_marks(fresh)
    assert all(mark_of(app, rule.endpoint) is not None for rule in app.url_map.iter_rules())


def test_a_mark_names_somebody() -> None:
    with pytest.raises(RuntimeError):
        open_to()


@pytest.mark.parametrize(
    ("method", "path", "status", "host"),
    [
        ("GET", "/", 200, "vote.example.org"),
        ("GET", "/nowhere", 404, "vote.example.org"),
        ("DELETE", "/", 405, "vote.example.org"),
        ("GET", "/", 400, "evil.example"),
        ("POST", "/officer/sign-in", 400, "vote.example.org"),
        ("GET", "/officer/", 302, "vote.example.org"),
        ("GET", "/api/elections/1111111111111A/last-event", 404, "vote.example.org"),
        ("GET", "/static/style.css", 200, "vote.example.org"),
        ("GET", "/static/nothing.css", 404, "vote.example.org"),
        ("GET", "/static/%2e%2e/app.py", 404, "vote.example.org"),
    ],
)
def test_every_answer_carries_the_headers(app: Flask, method: str, path: str, status: int, host: str) -> None:
    response = app.test_client().open(path, method=method, base_url=f"https://{host}")
    response.close()
    assert status == response.status_code
    for name, value in headers.ALWAYS.items():
        assert value == response.headers[name]
    policy = response.headers["Content-Security-Policy"]
    assert "unsafe" not in policy
    assert "require-trusted-types-for 'script'" in policy
    if not path.startswith("/static/style"):
        assert "no-store" == response.headers["Cache-Control"] or path == "/"


def test_a_fault_of_ours_is_an_honest_page_without_a_traceback(config, app: Flask) -> None:  # type: ignore[no-untyped-def]
    broken = create_app(config, keys=Keys.from_seed(b"x"))
    broken.extensions["ballot"] = replace(broken.extensions["ballot"], database=None)
    response = broken.test_client().get("/", base_url=config.public_url)
    assert 500 == response.status_code
    assert "Something went wrong here" in response.get_data(as_text=True)
    assert "Traceback" not in response.get_data(as_text=True)
    assert headers.CONTENT_SECURITY_POLICY == response.headers["Content-Security-Policy"]


@pytest.mark.parametrize("host", ["evil.example", "vote.example.org.evil.example", "evil.example:443", ""])
def test_a_foreign_host_is_refused(app: Flask, host: str) -> None:
    client = app.test_client()
    assert 400 == client.get("/", headers={"Host": host or " "}).status_code
    assert 400 == client.get("/", base_url="https://vote.example.org", headers={"X-Forwarded-Host": host or "x"}).status_code


def test_our_own_host_behind_a_proxy_is_fine(app: Flask) -> None:
    sent = {"X-Forwarded-Host": "vote.example.org"}
    assert 200 == app.test_client().get("/", base_url="https://vote.example.org", headers=sent).status_code


def test_a_body_that_is_too_large_is_refused_before_it_is_read(app: Flask, returning_officer: Visitor) -> None:
    for path, limit in (("/officer/sign-in", 256 * 1024), ("/officer/meetings/new", 256 * 1024)):
        response = returning_officer.client.post(path, data={"email": "x" * (limit + 1)}, base_url="https://vote.example.org")
        assert 413 == response.status_code


def test_pages_for_development_do_not_exist_on_a_real_site(config, app: Flask) -> None:  # type: ignore[no-untyped-def]
    assert 200 == app.test_client().get("/dev/mail", base_url=config.public_url).status_code
    assert "development only" in app.test_client().get("/dev/mail", base_url=config.public_url).get_data(as_text=True)
    real = create_app(replace(config, development=False), keys=Keys.from_seed(b"x"))
    assert 404 == real.test_client().get("/dev/mail", base_url=config.public_url).status_code
    assert 404 == real.test_client().get("/dev/mail/x", base_url=config.public_url).status_code


def test_no_public_page_sets_a_cookie(app: Flask, site: Site, places: dict[str, str]) -> None:
    for rule, method in rules(app):
        if method == "GET" and rule.endpoint.startswith(("board.", "api.", "booth.", "trustee_api.", "static")):
            response = app.test_client().get(address(rule, places), base_url=site.config.public_url)
            assert "Set-Cookie" not in response.headers, rule.rule
            response.close()


def test_no_page_has_an_inline_script_style_or_handler(app: Flask, site: Site, places: dict[str, str], returning_officer: Visitor) -> None:
    for rule, method in rules(app):
        if method == "GET" and rule.endpoint != "static":
            response = returning_officer.get(address(rule, places))
            if response.mimetype != "text/html":
                continue
            page = response.get_data(as_text=True)
            assert not re.search(r"<[^>]+\s(style|on[a-z]+)\s*=", page), rule.rule
            assert "<style" not in page
            for script in re.findall(r"<script[^>]*>", page):
                assert 'src="/static/' in script, rule.rule
                assert 'integrity="sha384-' in script, rule.rule


def test_what_people_typed_is_text_everywhere(site: Site, app: Flask, returning_officer: Visitor, anybody: Visitor) -> None:
    evil = "<script>alert(1)</script>\"'><img src=x onerror=alert(1)>"
    response = returning_officer.post("/officer/meetings/new", {"name": evil, "two_people": "no", "codes": "site"})
    meeting = response.headers["Location"].rsplit("/", 1)[1]
    upload(returning_officer, meeting)
    freeze(returning_officer, meeting)
    uuid = make_ballot(returning_officer, meeting, practice="y", name=evil, description=evil, **{"question-wording": evil})
    returning_officer.post(f"/officer/e/{uuid}/lock", {"code": returning_officer.digits()})
    returning_officer.post(f"/officer/e/{uuid}/void", {"code": returning_officer.digits(), "reason": evil})
    public = [f"/e/{uuid}", f"/e/{uuid}/board?code={evil}", f"/e/{uuid}/check?code={evil}", f"/m/{meeting}/journal", f"/trustee/{uuid}/1"]
    own = ["", f"e/{uuid}", f"e/{uuid}/questions", f"m/{meeting}", f"m/{meeting}/members?q={evil}"]
    pages = [*public, *(f"/officer/{page}" for page in own)]
    for page in pages:
        text = returning_officer.get(page).get_data(as_text=True)
        assert "<script>alert" not in text, page
        assert "<img" not in text, page


def test_ids_are_unique_and_every_label_has_its_field(app: Flask, places: dict[str, str], returning_officer: Visitor) -> None:
    make_ballot(returning_officer, places["meeting_id"], name="A second draft")
    make_ballot(returning_officer, places["meeting_id"], name="A third draft")
    for rule, method in rules(app):
        if method == "GET" and rule.endpoint.startswith(("officer.", "board.", "trustee_api.", "dev.")):
            response = returning_officer.get(address(rule, places))
            if response.mimetype != "text/html":
                continue
            page = response.get_data(as_text=True)
            ids = re.findall(r"""\sid=["']([^"']+)["']""", page)
            assert len(ids) == len(set(ids)), (rule.rule, ids)
            named = {
                name
                for found in re.findall(r"""\s(?:for|aria-describedby|aria-labelledby)=["']([^"']+)["']""", page)
                for name in found.split()
            }
            assert named <= set(ids), (rule.rule, named - set(ids))
            assert 1 == page.count("<h1"), rule.rule
