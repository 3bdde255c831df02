"""A list of members between upload and saving: sealed, mended, decided about, compared, and gone when its time is over."""

from __future__ import annotations

import csv
import io
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import text
from sqlmodel import select

from ballot.errors import ConfigurationError, NotAllowedError, NotFoundError, PreconditionError, RollError
from ballot.models import Meeting, Roll, RollEntry, RollUpload
from ballot.services import journal, lifecycle, roll, roll_import
from ballot.services.journal import Actor
from ballot.services.keys import Keys
from ballot.services.roll import Columns, Decision, Reason, Words
from ballot.services.roll_import import Upload, Work
from tests.services.world import OFFICER, SECRETARY, World

CUT_OFF = date(2026, 1, 31)
CSV = """No,Name,Email,Type,Region
1,Ann Archer,ann@example.org,Full,Tyne
2,=Ben Bold,,Full,Tyne
3,Cat Cole,ann+x@example.org,Full,Tees
4,Dee Dunn,dee@example.org,Honorary,Tees
5,Eve Eden,eve@example.org,Supporter,Tees
"""


def new_meeting(world: World, name: str = "AGM") -> Meeting:
    with world.database.write() as session:
        return lifecycle.make_meeting(session, name, OFFICER, world.now)


def begin(world: World, meeting: Meeting, data: bytes | str = CSV, actor: Actor = SECRETARY) -> Upload:
    """Uploaded, with the columns as they are guessed."""
    content = data.encode() if isinstance(data, str) else data
    upload = roll_import.begin(world.database, world.keys, meeting.id, content, actor, world.now, cut_off=CUT_OFF, file_name="members.csv")
    with world.database.write() as session:
        columns = Columns(**roll_import.guess(session, upload.table))
        work = Work("members.csv", columns=columns, cut_off=CUT_OFF)
        roll_import.keep(session, world.keys, meeting.id, actor, world.now, work, upload_id=upload.id)
    return found(world, meeting, actor)


def found(world: World, meeting: Meeting, actor: Actor = SECRETARY) -> Upload:
    with world.database.read() as session:
        return roll_import.find(session, world.keys, meeting.id, actor, world.now)


def decide(world: World, meeting: Meeting, upload: Upload, **decisions: Decision | None) -> Upload:
    with world.database.write() as session:
        by_row = {int(row.removeprefix("row")): decision for row, decision in decisions.items()}
        roll_import.decide(session, world.keys, meeting.id, SECRETARY, world.now, upload_id=upload.id, decisions=by_row)
    return found(world, meeting)


def edit(world: World, meeting: Meeting, upload: Upload, edits: dict[int, dict[str, str]]) -> Upload:
    with world.database.write() as session:
        roll_import.edit(session, world.keys, meeting.id, SECRETARY, world.now, upload_id=upload.id, edits=edits)
    return found(world, meeting)


def save(world: World, meeting: Meeting, upload: Upload) -> Roll:
    return roll_import.save(world.database, world.keys, meeting.id, SECRETARY, world.now, upload_id=upload.id, name="March list")


def reasons(upload: Upload) -> dict[int, Reason | None]:
    return {line.row: line.reason for line in upload.preview().lines}


def test_it_is_looked_at_mended_and_saved(world: World) -> None:
    meeting = new_meeting(world)
    upload = begin(world, meeting)
    undecided = Reason.UNDECIDED
    assert {2: None, 3: Reason.NO_EMAIL, 4: undecided, 5: undecided, 6: Reason.SUPPORTER} == reasons(upload)
    with world.database.read() as session:
        assert session.get(Roll, meeting.id) is None
        assert [] == list(session.exec(select(RollEntry)).all())
    with pytest.raises(PreconditionError, match="2 rows need a decision"):
        save(world, meeting, upload)
    upload = decide(world, meeting, upload, row5=Decision.IN)
    upload = edit(world, meeting, upload, {3: {"email": "ben@example.org"}, 4: {"email": "cat@example.org"}})
    assert {2: None, 3: None, 4: None, 5: None, 6: Reason.SUPPORTER} == reasons(upload)
    assert ("cat@example.org", "Cat Cole") == (upload.values(4)["email"], upload.values(4)["name"])
    saved = save(world, meeting, upload)
    assert ("March list", 4) == (saved.name, saved.included)
    with pytest.raises(NotFoundError, match="saved, discarded"):
        found(world, meeting)
    with world.database.write() as session:
        roll.freeze(session, meeting.id, SECRETARY, world.now)
        assert "March list" == journal.entries(session, meeting.id)[-1].details["name"]


def test_a_decision_can_be_taken_back_and_a_new_value_ends_it(world: World) -> None:
    meeting = new_meeting(world)
    upload = decide(world, meeting, begin(world, meeting), row5=Decision.OUT, row4=Decision.OUT)
    assert (Reason.LEFT_OUT, Reason.LEFT_OUT) == (reasons(upload)[4], reasons(upload)[5])
    upload = decide(world, meeting, upload, row5=None)
    assert Reason.UNDECIDED is reasons(upload)[5]
    upload = edit(world, meeting, upload, {4: {"email": "cat@example.org"}})
    assert reasons(upload)[4] is None


def test_nothing_of_it_stands_in_the_database_in_clear_and_only_these_keys_open_it(world: World) -> None:
    meeting = new_meeting(world)
    edit(world, meeting, begin(world, meeting), {3: {"email": "secret.address@example.org"}})
    with world.database.read() as session:
        row = session.exec(select(RollUpload)).one()
        for part in (row.sealed_file, row.sealed_work):
            assert not {b"Archer", b"ann@", b"secret", b"Name"} & {
                word for word in (b"Archer", b"ann@", b"secret", b"Name") if word in part
            }
        with pytest.raises(ConfigurationError):
            roll_import.find(session, Keys.from_seed(b"another installation"), meeting.id, SECRETARY, world.now)
        assert "Ann" not in journal.text(session, meeting.id).decode()


def test_an_upload_is_its_officers_own(world: World) -> None:
    meeting, other = new_meeting(world), Actor("dead", "membership-secretary")
    begin(world, meeting)
    with pytest.raises(NotFoundError):
        found(world, meeting, other)
    with pytest.raises(NotAllowedError):
        found(world, meeting, Actor("cafe", "observer"))
    begin(world, meeting, "Email,Type\nz@example.org,Full\n", other)
    assert (5, 1) == (len(found(world, meeting).table.rows), len(found(world, meeting, other).table.rows))


def test_a_tab_that_stayed_open_cannot_change_the_list_that_came_after(world: World) -> None:
    meeting = new_meeting(world)
    old = begin(world, meeting)
    begin(world, meeting, "Email,Type\nz@example.org,Full\n")
    with pytest.raises(NotFoundError, match="Another list"):
        decide(world, meeting, old, row2=Decision.OUT)
    with pytest.raises(NotFoundError, match="nothing was saved"):
        save(world, meeting, old)


def test_it_is_gone_after_a_day_and_when_the_officer_signs_out(world: World) -> None:
    meeting, second = new_meeting(world), new_meeting(world, "Another")
    begin(world, meeting)
    begin(world, second)
    world.clock.advance(hours=25)
    with pytest.raises(NotFoundError):
        found(world, meeting)
    begin(world, second)
    roll_import.forget_due(world.database, world.now)
    with world.database.read() as session:
        assert [second.id] == [row.meeting_id for row in session.exec(select(RollUpload)).all()]
        assert roll_import.waiting(session, second.id, SECRETARY, world.now) == world.now
    with world.database.write() as session:
        roll_import.forget_officer(session, SECRETARY.id)
    with world.database.read_connection() as connection:
        assert 0 == connection.execute(text("SELECT count(*) FROM roll_upload")).scalar_one()


def test_a_frozen_roll_takes_no_upload(world: World) -> None:
    meeting = world.meeting()
    with pytest.raises(PreconditionError, match="frozen"):
        begin(world, meeting)


# --- columns are remembered ---------------------------------------------------------------------------------------


def test_the_next_list_is_read_as_the_last_one(world: World) -> None:
    odd = "Ref;Wer;Kontakt;Tarif\n1;Ann;ann@example.org;A\n"
    first = new_meeting(world)
    upload = begin(world, first, odd)
    chosen = Columns(email="Kontakt", name="Wer", number="Ref", category="Tarif")
    work = Work("x", columns=chosen, cut_off=CUT_OFF, words=Words(category={"a": "full"}))
    with world.database.write() as session:
        roll_import.keep(session, world.keys, first.id, SECRETARY, world.now, work, upload_id=upload.id)
    save(world, first, found(world, first))
    with world.database.read() as session:
        table = roll.read_table(b"KONTAKT;Tarif;Wer;New;Ref\nann@example.org;A;Ann;x;1\n")
        guessed = roll_import.guess(session, table)
        assert ("KONTAKT", "Wer", "Ref", "Tarif") == tuple(guessed[a] for a in ("email", "name", "number", "category"))
        assert {"a": "full"} == roll_import.remembered(session)[1].category
        usual = roll_import.guess(session, roll.read_table(b"Email,Name,Type\na@example.org,A,Full\n"))
        assert ("Email", "Name", "Type") == tuple(usual[a] for a in ("email", "name", "category"))


# --- to a spreadsheet and back ------------------------------------------------------------------------------------


def test_the_rows_that_need_attention_go_to_a_spreadsheet_and_come_back(world: World) -> None:
    meeting = new_meeting(world)
    upload = begin(world, meeting)
    content = roll_import.attention_file(upload, upload.preview().attention)
    rows = list(csv.reader(io.StringIO(content.decode("utf-8-sig"))))
    assert ["Row in the list", "Email", "Name", "No", "Type", "Region", "Why", "What to do"] == [
        rows[0][0],
        *sorted(rows[0][1:4]),
        *rows[0][4:],
    ]
    assert ["3", "4", "5"] == [row[0] for row in rows[1:]]
    assert "'=Ben Bold" in rows[1]  # no spreadsheet takes it for a formula
    email = rows[0].index("Email")
    rows[1][email], rows[2][email] = "ben@example.org", "cat@example.org"
    out = io.StringIO()
    csv.writer(out, delimiter=";").writerows(rows)
    edits = roll_import.mended_rows(upload, out.getvalue().encode("cp1252"))
    assert {3: {"email": "ben@example.org"}, 4: {"email": "cat@example.org"}} == edits
    upload = edit(world, meeting, upload, edits)
    assert [None, None, None] == [reasons(upload)[row] for row in (2, 3, 4)]
    assert "=Ben Bold" == upload.values(3)["name"]
    with pytest.raises(RollError, match="Upload the mended rows"):
        begin(world, meeting, content)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"Name,Email\nAnn,a@example.org\n", "found another file"),
        (b"Row in the list,Email\n99,a@example.org\n", "found “99”"),
        (b"Row in the list,Email\nx,a@example.org\n", "found “x”"),
        (b"", "an empty file"),
    ],
)
def test_another_file_is_not_taken_for_mended_rows(world: World, content: bytes, words: str) -> None:
    meeting = new_meeting(world)
    upload = begin(world, meeting)
    with pytest.raises(RollError, match=words):
        roll_import.mended_rows(upload, content)


@given(st.text(max_size=30).filter(lambda value: value.isprintable()))
def test_a_defused_cell_comes_back_as_it_was(value: str) -> None:
    cell = roll_import.defused(value)
    assert not cell.startswith(("=", "+", "-", "@"))
    assert value == roll_import._undefused(cell) or value.startswith("'")


# --- compared with the last roll ----------------------------------------------------------------------------------


def test_the_difference_from_last_years_roll(world: World) -> None:
    last = new_meeting(world, "AGM 2025")
    lines = [f"{n},Member {n},m{n}@example.org,Full,{'Tyne' if n % 2 else 'Tees'}" for n in range(1, 9)]
    save(world, last, begin(world, last, "No,Name,Email,Type,Region\n" + "\n".join(lines)))
    with world.database.write() as session:
        roll.freeze(session, last.id, SECRETARY, world.now)
    now = [
        "1,Member 1,m1@example.org,Full,Tyne",
        "2,Member Two,m2@example.org,Full,Tees",  # another name
        "3,Member 3,new3@example.org,Full,Tyne",  # another address, the same number
        "4,Member 4,m4@example.org,Full,Tyne",  # moved
        "5,Member 5,,Full,Tyne",  # cannot vote now
        "6,Member 6,m6@example.org,Supporter,Tees",
        "70,Newcomer,m7@example.org,Full,Tees",  # has the address that member 7 had
        "9,Member 9,m9@example.org,Full,Tees",
    ]
    meeting = new_meeting(world, "AGM 2026")
    upload = begin(world, meeting, "No,Name,Email,Type,Region\n" + "\n".join(now))
    with world.database.read() as session:
        against = roll_import.compare(session, meeting.id, upload.preview())
    assert against is not None
    assert "“March list”" == against.against
    assert ["Newcomer", "Member 9"] == [line.name for line in against.new]
    assert {
        "Member 5": "no e-mail address",
        "Member 6": "supporter, not a full member",
        "Member 7": "not in this list",
        "Member 8": "not in this list",
    } == {name: why for name, _, why in against.gone}
    assert {
        "Member Two": ("name was Member 2",),
        "Member 3": ("address was m3@example.org",),
        "Member 4": ("no longer region Tees", "now region Tyne"),
    } == {change.line.name: change.what for change in against.changed}


def test_there_is_nothing_to_compare_with_at_first_or_when_the_names_are_deleted(world: World) -> None:
    meeting = new_meeting(world)
    upload = begin(world, meeting)
    with world.database.read() as session:
        assert roll_import.compare(session, meeting.id, upload.preview()) is None


def test_twenty_thousand_rows_are_examined_in_well_under_a_second(world: World) -> None:
    meeting = new_meeting(world)
    rows = (f"{i},Müller {i},name{i}@mail{i % 40}.example.org,Full,Tyne" for i in range(20_000))
    upload = begin(world, meeting, ("No;Name;Email;Type;Region\n".replace(";", ",") + "\n".join(rows)).encode("cp1252"))
    assert 20_000 == len(upload.preview().included)
