"""The public pages. Everything here is read from the board, and nothing changes by reading it."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

from flask import Response, abort, redirect, render_template, request
from sqlmodel import Session, col, select
from werkzeug.wrappers import Response as AnyResponse

from ballot.count.draw.sheet import csv_sheet
from ballot.errors import MalformedError, NotFoundError, UnavailableError
from ballot.language import phrase
from ballot.models import Election, ElectionState, Meeting, Roll
from ballot.protocol.declarations import MINIMUM_BALLOTS
from ballot.protocol.messages import QuestionNH, ThresholdParameters
from ballot.services import board, journal, roll, sweep, tally, trustees
from ballot.web import site
from ballot.web.access import Role, open_to
from ballot.web.api import FRESH, json_bytes, stream_archive
from ballot.web.board import bp
from ballot.web.board.report import report_of
from ballot.web.board.result import published_result
from ballot.web.booth.pages import contact
from ballot.web.rules import quota_words, rule_words

LINES = 500  # receipt codes on one page of the board


@bp.get("/")
@open_to(Role.PUBLIC)
def front() -> str:
    with site().database.read() as db:
        shown = db.exec(
            select(Election, Meeting)
            .join(Meeting, col(Meeting.id) == col(Election.meeting_id))
            .where(col(Election.state) != ElectionState.DRAFT, col(Election.practice).is_(False))
            .order_by(col(Election.closes_at).desc(), col(Election.name))
        ).all()
        public = {meeting.id for _, meeting in shown}
        frozen = select(Meeting).join(Roll, col(Roll.meeting_id) == col(Meeting.id))
        frozen = frozen.where(col(Roll.frozen_at).is_not(None), Roll.salt != b"", col(Meeting.practice_of).is_(None))
        coming = [meeting for meeting in db.exec(frozen.order_by(col(Meeting.created_at), col(Meeting.id))) if meeting.id not in public]
    done = {ElectionState.PUBLISHED, ElectionState.VOID}
    current = [pair for pair in shown if pair[0].state not in done]
    results = [pair for pair in shown if pair[0].state in done]
    return render_template("board/front.html", current=current, results=results, coming=coming)


@bp.get("/how")
@open_to(Role.PUBLIC)
def how() -> str:
    return render_template("board/how.html", public_key=b64encode(site().keys.receipt_public_bytes).decode())


@bp.get("/e/<base58:uuid>")
@open_to(Role.PUBLIC)
def election(uuid: str) -> str:
    with site().database.read() as db:
        found = _election(db, uuid)
        setup = board.load_setup(site().database, uuid)
        voted, electorate = board.turnout(db, uuid)
        head = board.head_of(db, uuid)
        meeting = db.get(Meeting, found.meeting_id)
        meeting_roll = db.get(Roll, found.meeting_id)
        keys_left = trustees.key_count(found, trustees.trustees_of(db, uuid), site().clock.now())
    return render_template(
        "board/election.html",
        election=found,
        meeting=meeting,
        roll=meeting_roll,
        setup=setup,
        questions=_questions(setup),
        keys=_keys(setup),
        keys_left=keys_left,
        minimum=setup.declarations.minimum_ballots if setup.declarations else MINIMUM_BALLOTS,
        voted=voted,
        electorate=electorate,
        head=head,
        checkpoint_key=board.checkpoint_key(site().config, site().keys, uuid),
    )


@bp.get("/e/<base58:uuid>/board")
@open_to(Role.PUBLIC)
def ballot_box(uuid: str) -> str:
    """Every receipt code in the order of the chain, without times; a search keeps those that contain what was typed."""
    looked_for = request.args.get("code", "").strip()
    page = max(request.args.get("page", 1, type=int), 1)
    with site().database.read() as db:
        found = _election(db, uuid)
        number = board.number_on_board(db, uuid)
        matching = board.number_on_board(db, uuid, looked_for) if looked_for else number
        pages = max((matching + LINES - 1) // LINES, 1)
        page = min(page, pages)
        lines = board.ballots_on_board(db, uuid, part=looked_for, skip=(page - 1) * LINES, most=LINES)
        head = board.head_of(db, uuid)
    return render_template(
        "board/board.html",
        election=found,
        number=number,
        matching=matching,
        lines=lines,
        page=page,
        pages=pages,
        code=looked_for,
        head=head,
    )


@bp.get("/e/<base58:uuid>/check")
@open_to(Role.PUBLIC)
def check(uuid: str) -> str | tuple[str, int]:
    """Whether one receipt code is in the ballot box."""
    code = "".join(request.args.get("code", "").split())
    line, error = None, ""
    with site().database.read() as db:
        found = _election(db, uuid)
        if code:
            try:
                line = board.find_ballot(db, uuid, code)
            except MalformedError:
                error = phrase("A receipt code has 43 letters, figures, + and /. Copy the whole of it.")
    page = render_template("board/check.html", election=found, code=code, line=line, error=error, contact=contact())
    return (page, 422) if error else page


@bp.get("/e/<base58:uuid>/result")
@open_to(Role.PUBLIC)
def result(uuid: str) -> AnyResponse | str:
    with site().database.read() as db:
        found = _election(db, uuid)
        if found.state != ElectionState.PUBLISHED:
            return redirect(f"/e/{uuid}")
        voted, electorate = board.turnout(db, uuid)
        head = board.head_of(db, uuid)
        meeting = db.get(Meeting, found.meeting_id)
    setup = board.load_setup(site().database, uuid)
    return render_template(
        "board/result.html",
        election=found,
        meeting=meeting,
        setup=setup,
        keys=_keys(setup),
        questions=_questions(setup),
        results=published_result(site().database, uuid),
        report_of=report_of,
        voted=voted,
        electorate=electorate,
        head=head,
    )


@bp.get("/e/<base58:uuid>/result/<int:number>.blt")
@open_to(Role.PUBLIC)
def rankings_file(uuid: str, number: int) -> Response:
    """The shuffled rankings of one question, in the format of counting programs."""
    with site().database.read() as db:
        if _election(db, uuid).state != ElectionState.PUBLISHED:
            abort(404)
    results = published_result(site().database, uuid)
    blt = results[number - 1].blt if 1 <= number <= len(results) else None
    if blt is None:
        raise NotFoundError(phrase("This ballot has no rankings under that number."))
    headers = {"Content-Disposition": f'attachment; filename="{uuid}-{number}.blt"', "Cache-Control": FRESH}
    return Response(blt, content_type="text/plain; charset=utf-8", headers=headers)


@bp.get("/e/<base58:uuid>/result/<int:number>.<any(csv,json):form>")
@open_to(Role.PUBLIC)
def count_file(uuid: str, number: int, form: str) -> Response:
    """The count of one question, stage by stage: for spreadsheets, or the record itself."""
    with site().database.read() as db:
        _election(db, uuid)
    results = published_result(site().database, uuid)
    record = results[number - 1].record if 1 <= number <= len(results) else None
    if record is None:
        raise NotFoundError(phrase("This ballot has no count by stages under that number."))
    content, kind = (csv_sheet(record), "text/csv; charset=utf-8") if form == "csv" else (record.to_json(), "application/json")
    headers = {"Content-Disposition": f'attachment; filename="{uuid}-{number}.{form}"', "Cache-Control": FRESH}
    return Response(content, content_type=kind, headers=headers)


@bp.get("/e/<base58:uuid>.bel")
@open_to(Role.PUBLIC)
def archive(uuid: str) -> Response:
    return stream_archive(uuid)


@bp.get("/e/<base58:uuid>.companion.json")
@open_to(Role.PUBLIC)
def companion(uuid: str) -> Response:
    with site().database.read() as db:
        board.head_of(db, uuid)
        response = json_bytes(board.companion_bytes(db, uuid), FRESH)
    response.headers["Content-Disposition"] = f'attachment; filename="{uuid}.companion.json"'
    return response


@bp.get("/e/<base58:uuid>.results.json")
@open_to(Role.PUBLIC)
def results_file(uuid: str) -> Response:
    response = json_bytes(tally.outcome(site().database, uuid).file, FRESH)
    response.headers["Content-Disposition"] = f'attachment; filename="{uuid}.results.json"'
    return response


@bp.get("/e/<base58:uuid>/checkpoint")
@open_to(Role.PUBLIC)
def checkpoint(uuid: str) -> Response:
    """The newest head that was swept, signed: a text that anyone may keep and compare."""
    with site().database.read() as db:
        note = sweep.checkpoint(db, site().config, site().keys, uuid)
    if note is None:
        raise UnavailableError(phrase("The ballot box is being compared with its chain. Its first checkpoint is here in a moment."))
    return Response(note, content_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


@bp.get("/e/<base58:uuid>/checkpoint-key")
@open_to(Role.PUBLIC)
def checkpoint_key(uuid: str) -> Response:
    with site().database.read() as db:
        _election(db, uuid)
    key = board.checkpoint_key(site().config, site().keys, uuid)
    return Response(key + "\n", content_type="text/plain; charset=utf-8", headers={"Cache-Control": FRESH})


@bp.get("/m/<base58:meeting_id>/journal")
@open_to(Role.PUBLIC)
def show_journal(meeting_id: str) -> str:
    with site().database.read() as db:
        meeting = _meeting(db, meeting_id)
        entries = journal.entries(db, meeting_id)
        public = select(Election).where(Election.meeting_id == meeting_id, col(Election.state) != ElectionState.DRAFT)
        names = {election.uuid: election.name for election in db.exec(public)}
    return render_template("board/journal.html", meeting=meeting, entries=entries, names=names)


@bp.get("/m/<base58:meeting_id>/journal.jsonl")
@open_to(Role.PUBLIC)
def journal_file(meeting_id: str) -> Response:
    with site().database.read() as db:
        _meeting(db, meeting_id)
        content = journal.text(db, meeting_id)
    headers = {"Content-Disposition": f'attachment; filename="journal-{meeting_id}.jsonl"', "Cache-Control": FRESH}
    return Response(content, content_type="application/jsonl; charset=utf-8", headers=headers)


@bp.get("/m/<base58:meeting_id>/roll-leaves.txt")
@open_to(Role.PUBLIC)
def roll_leaves(meeting_id: str) -> Response:
    """The leaves behind the frozen roll's fingerprint: one line a member, which tells nothing about the member."""
    with site().database.read() as db:
        _meeting(db, meeting_id)
        found = db.get(Roll, meeting_id)
        if found is None or found.frozen_at is None:
            raise NotFoundError(phrase("This meeting's list of members is not frozen yet."))
        leaves = roll.leaves(db, found)
    text = "".join(f"{leaf}\n" for leaf in leaves)
    return Response(text, content_type="text/plain; charset=utf-8", headers={"Cache-Control": FRESH})


def _election(db: Session, uuid: str) -> Election:
    """A ballot that is locked or later. Raises: NotFoundError, for drafts too."""
    found = db.get(Election, uuid)
    if found is None or found.state == ElectionState.DRAFT or not found.fingerprint:
        raise NotFoundError(phrase("There is no such ballot, or it is still being prepared."))
    return found


def election_shown_to_trustees(db: Session, uuid: str) -> Election:
    """Any ballot, drafts included: a key-holder makes a key before the lock. Raises: NotFoundError."""
    found = db.get(Election, uuid)
    if found is None:
        raise NotFoundError(phrase("There is no such ballot."))
    return found


def _meeting(db: Session, meeting_id: str) -> Meeting:
    found = db.get(Meeting, meeting_id)
    if found is None:
        raise NotFoundError(phrase("There is no such meeting."))
    return found


def _questions(setup: board.Setup) -> list[dict[str, Any]]:
    plain: tuple[dict[str, Any], ...] = ({},) * len(setup.election.questions)
    rules = (setup.declarations.rules if setup.declarations else ()) or plain
    return [
        {
            "title": question.question,
            "answers": question.answers,
            "ranked": isinstance(question, QuestionNH),
            "rule": rule_words(rule, question),
            "quotas": quota_words(rule, question),
        }
        for question, rule in zip(setup.election.questions, rules, strict=True)
    ]


def _keys(setup: board.Setup) -> str:
    """Who can open the box, in a sentence."""
    items = setup.trustees.items
    if len(items) == 1 and isinstance(items[0], ThresholdParameters):
        group = items[0]
        return phrase(
            "{threshold} of {size} key-holders together open the ballot box.", threshold=group.threshold, size=len(group.verification_keys)
        )
    if len(items) == 1:
        return phrase("One key opens the ballot box, so nothing protects the votes from whoever holds it.")
    return phrase("All {size} key-holders together open the ballot box.", size=len(items))
