"""Who is on the roll, who is left out and why, what a wrong file is told, and the commitment."""

from __future__ import annotations

from contextlib import suppress
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ballot.errors import MalformedError, NotFoundError, PreconditionError, RollError
from ballot.models import RollEntry
from ballot.services import journal, lifecycle, roll
from ballot.services.roll import Columns, Decision, Reason, Words
from tests.services.world import OFFICER, SECRETARY, World, roll_csv

CUT_OFF = date(2026, 1, 31)
HEAD = "Name,Email,Membership type,Status,Joined\n"


def examined(text: str | bytes, head: str = HEAD) -> roll.Preview:
    return roll.preview((head + text).encode() if isinstance(text, str) else text, CUT_OFF)


def reasons(text: str, head: str = HEAD) -> list[Reason | None]:
    return [line.reason for line in examined(text, head).lines]


# --- reading ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp1252"])
@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_encodings_separators_and_line_ends(encoding: str, delimiter: str, line_end: str) -> None:
    rows = [["Membership type", "E-mail address", "Name"], ["Full member", "zoe@example.org", "Zoë Müller"]]
    data = line_end.join(delimiter.join(row) for row in rows).encode(encoding)
    line = roll.preview(data, CUT_OFF).lines[0]
    assert ("Zoë Müller", "zoe@example.org", None) == (line.name, line.email, line.reason)


def test_columns_in_any_order_and_any_usual_name_with_a_first_and_last_name() -> None:
    text = 'Supporter?;Surname;First name;E-Mail;Category\nno;"O\'Neil; Jr";Ann;ann@example.org;FULL\n'
    line = examined(text, head="").lines[0]
    assert ("Ann O'Neil; Jr", None) == (line.name, line.reason)


def test_the_officer_may_choose_the_columns() -> None:
    table = roll.read_table(b"A,B,C\nann@example.org,Ann,full\n")
    found = roll.examine(table, Columns(email="A", name="B", category="C"), CUT_OFF)
    assert ["Ann"] == [line.name for line in found.included]
    with pytest.raises(RollError, match="no such heading"):
        roll.examine(table, Columns(email="D", category="C"), CUT_OFF)


@pytest.mark.parametrize(
    ("data", "row", "words"),
    [
        (b"", 1, "an empty file"),
        (b"\xef\xbb\xbf\r\n", 1, "an empty file"),
        (b"\n\nName,Email\n", 1, "no headings"),
        (b"PK\x03\x04rest of a spreadsheet", 1, "a spreadsheet or PDF"),
        (b"Name,Email\n\0\0", 1, "a binary file"),
        ("Name,Email\n".encode("utf-16"), 1, "a file in UTF-16"),
        (b"Name,Email,Membership type\nAnn,\x81\xff,Full\n", 2, "bytes that are no text"),
        (b"Name,Phone\nAnn,1\n", 1, "the headings “Name”, “Phone”"),
        (b"Name,Email\nAnn,a@example.org\n", 1, "no column that tells members from supporters"),
        (b"Names\nAnn\nBen\n", 1, "one column only"),
        (b'Email,Type\nb@example.org,Full\n"a@example.org,Full\n', 3, "a file that is not CSV"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_file_that_cannot_be_read_is_told_where_and_what_to_do(data: bytes, row: int, words: str) -> None:
    with pytest.raises(RollError) as caught:
        roll.preview(data, CUT_OFF)
    assert row == caught.value.row
    assert words in str(caught.value)
    assert caught.value.remedy.endswith(".")


def test_two_columns_of_one_name_and_one_of_none_can_be_told_apart() -> None:
    table = roll.read_table(b"Name,,name,Email\nAnn,x,Lee,ann@example.org\n")
    assert ("Name", "Column 2", "name (column 3)", "Email") == table.headings


def test_a_first_line_with_an_address_is_a_member_and_not_headings() -> None:
    table = roll.read_table(b"Ann;ann@example.org\nBen;ben@example.org\n")
    assert (("Column 1", "Column 2"), (1, 2), False) == (table.headings, table.numbers, table.has_headings)
    assert ("ann@example.org", "ben@example.org") == roll.read_table(b"ann@example.org;Ann\nben@example.org;Ben\n", headings=True).headings[
        :1
    ] + roll.read_table(b"ann@example.org;Ann\nben@example.org;Ben\n", headings=True).rows[0][:1]
    assert "Column 2" == roll.guesses(table.headings, table)["email"]


def test_a_row_with_too_many_values_needs_a_decision_and_the_others_do_not() -> None:
    found = examined("a@example.org,Full,extra\nb@example.org,Full\n", head="Email,Type\n").lines
    assert [Reason.UNDECIDED, None] == [line.reason for line in found]
    assert found[0].detail.startswith("Row 2: found 3 values under 2 headings. ")


@pytest.mark.parametrize(
    "text", ["2024-03-31", "31/03/2024", "31/3/24", "31.03.2024", "31 March 2024", "31-Mar-24", "2024-03-31 00:00:00", "31/03/2024 14:05"]
)
def test_days_as_people_and_spreadsheets_write_them(text: str) -> None:
    assert date(2024, 3, 31) == roll.parse_date(text)


# --- what an officer says about it --------------------------------------------------------------------------------


def asked(text: str, head: str = HEAD, **more: object) -> list[roll.Line]:
    table = roll.read_table((head + text).encode())
    return list(roll.examine(table, roll.guess_columns(table.headings), CUT_OFF, ask=True, **more).lines)  # type: ignore[arg-type]


PAIR = "Ann,ann@example.org,Full member,Active,2020-01-01\nBob,ANN+agm@example.org,Full member,Active,2020-01-01\n"


def test_two_names_with_one_address_need_a_decision_and_one_person_twice_does_not() -> None:
    found = asked(PAIR + "ANN,ann@Example.org,Full member,Active,2019-01-01\n")
    assert [None, Reason.UNDECIDED, Reason.DUPLICATE] == [line.reason for line in found]
    assert "the same e-mail address as row 2 (Ann), but another name." in found[1].detail
    assert [0, 2, 2] == [line.other for line in found]


@pytest.mark.parametrize(
    ("decisions", "edits", "expected"),
    [
        ({3: Decision.IN}, {}, [Reason.DUPLICATE, None]),
        ({3: Decision.OUT}, {}, [None, Reason.LEFT_OUT]),
        ({2: Decision.IN}, {}, [None, Reason.DUPLICATE]),
        ({2: Decision.OUT}, {}, [Reason.LEFT_OUT, None]),
        ({2: Decision.IN, 3: Decision.IN}, {}, [None, Reason.DUPLICATE]),
        ({}, {3: {"email": "bob@example.org"}}, [None, None]),
        ({}, {2: {"status": "Lapsed"}}, [Reason.LAPSED, None]),
    ],
    ids=str,
)
def test_the_officer_decides_between_two_lines(decisions: dict, edits: dict, expected: list[Reason | None]) -> None:  # type: ignore[type-arg]
    assert expected == [line.reason for line in asked(PAIR, decisions=decisions, edits=edits)]


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Ann,ann@example.org,Honorary,Active,2020-01-01", None),
        ("Ann,ann@example.org,Full member,,2020-01-01", None),
        ("Ann,ann@example.org,Full member,Active,someday", None),
        ("Ann,,Full member,Active,someday", Reason.NO_EMAIL),
        ("Ann,ann@example.org,Supporter,Active,2020-01-01", Reason.SUPPORTER),
        ("Ann,ann@example.org,Full member,Lapsed,someday", Reason.LAPSED),
        ("Ann,ann@example.org,Full member,Active,2026-02-01", Reason.JOINED_LATE),
    ],
    ids=str,
)
def test_a_doubt_can_be_set_aside_but_no_rule(line: str, reason: Reason | None) -> None:
    assert [reason] == [found.reason for found in asked(line + "\n", decisions={2: Decision.IN})]


def test_an_organisations_own_words_have_the_meaning_that_it_gave_them() -> None:
    words = Words(category={"std": "full", "friend of": "supporter"}, status={"ok-ish": "current", "active": "lapsed"})
    text = "Ann,ann@example.org,STD,ok-ish,2020-01-01\nBen,ben@example.org,Friend of,ok-ish,2020-01-01\n"
    text += "Cy,cy@example.org,Std,Active,2020-01-01\n"
    assert [None, Reason.SUPPORTER, Reason.LAPSED] == [line.reason for line in asked(text, words=words)]
    table = roll.read_table((HEAD + text).encode())
    assert {"std": ("STD", 2), "friend of": ("Friend of", 1)} == roll.words_in(table, "Membership type")


def test_a_list_of_full_members_only_needs_no_column_that_tells() -> None:
    table = roll.read_table(b"Email\nann@example.org\n")
    found = roll.examine(table, Columns(email="Email"), CUT_OFF, words=Words(everybody=True))
    assert ["ann@example.org"] == [line.name for line in found.included]


def test_a_file_of_100_megabytes_is_refused_before_it_is_read() -> None:
    with pytest.raises(RollError, match="MB"):
        roll.read_table(b"x" * (roll.MAX_BYTES + 1))


@given(st.binary(max_size=400))
def test_no_bytes_at_all_make_anything_but_a_roll_or_a_clear_refusal(data: bytes) -> None:
    with suppress(RollError):
        assert roll.preview(data, CUT_OFF).lines is not None


# --- who is left out ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("line", "reason"),
    [
        ("Ann,ann@example.org,Full member,Active,2020-01-01", None),
        ("Ann,ann@example.org,full,CURRENT,31/01/2026", None),
        ("Ann,ann@example.org,Supporter,Active,2020-01-01", Reason.SUPPORTER),
        ("Ann,ann@example.org,Full member,Lapsed,2020-01-01", Reason.LAPSED),
        ("Ann,ann@example.org,Full member,suspended,2020-01-01", Reason.SUSPENDED),
        ("Ann,ann@example.org,Full member,Active,2026-02-01", Reason.JOINED_LATE),
        ("Ann,,Full member,Active,2020-01-01", Reason.NO_EMAIL),
        ("Ann,ann at example.org,Full member,Active,2020-01-01", Reason.BAD_EMAIL),
        ("Ann,ann@localhost,Full member,Active,2020-01-01", Reason.BAD_EMAIL),
        ("Ann,a@b@example.org,Full member,Active,2020-01-01", Reason.BAD_EMAIL),
        ('Ann,"ann@example.org\r\nBcc: all@example.org",Full member,Active,2020-01-01', Reason.BAD_EMAIL),
        ('"Ann\nBcc: x",ann@example.org,Full member,Active,2020-01-01', Reason.UNDECIDED),
        ("Ann,ann@example.org,Honorary,Active,2020-01-01", Reason.UNDECIDED),
        ("Ann,ann@example.org,,Active,2020-01-01", Reason.UNDECIDED),
        ("Ann,ann@example.org,Full member,,2020-01-01", Reason.UNDECIDED),
        ("Ann,ann@example.org,Full member,Active,31/02/2020", Reason.UNDECIDED),
        ("Ann,ann@example.org,Full member,Active,", Reason.UNDECIDED),
    ],
    ids=str,
)
def test_each_line_gets_its_reason(line: str, reason: Reason | None) -> None:
    assert [reason] == reasons(line + "\n")


def test_a_reason_says_row_column_what_was_found_and_what_to_type() -> None:
    text = "Ann,ann@example.org,Full member,Active,2020-01-01\nBen,ben@example.org,Full member,Active,May\n"
    assert "Row 3, column “Joined”: found “May”. Type the day as 2024-03-31 or 31/03/2024." == examined(text).lines[1].detail


def test_rows_are_counted_in_the_files_own_lines() -> None:
    text = '"Ann\nLee",ann@example.org,Full member,Active,2020-01-01\n\nBen,,Full member,Active,2020-01-01\n'
    assert [2, 5] == [line.row for line in examined(text).lines]


@pytest.mark.parametrize(
    "other",
    ["ANN@EXAMPLE.ORG", "ann+agm@example.org", "ann@Example.Org", "Ann+a+b@example.org"],
)
def test_the_same_mailbox_twice_is_a_duplicate_of_the_first(other: str) -> None:
    text = f"Ann,ann@example.org,Full member,Active,2020-01-01\nAnne,{other},Full member,Active,2020-01-01\n"
    found = examined(text).lines
    assert [None, Reason.DUPLICATE] == [line.reason for line in found]
    assert "row 2" in found[1].detail


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("jose\u0301@example.org", "jos\u00e9@example.org"),
        ("ann@b\u00fccher.example", "ann@xn--bcher-kva.example"),
        ("ann@bu\u0308cher.example", "ann@B\u00dcCHER.example"),
    ],
)
def test_composed_letters_and_international_domains_are_folded(one: str, other: str) -> None:
    assert roll.fold_email(roll.clean_email(one)) == roll.fold_email(roll.clean_email(other))


def test_a_supporter_with_a_members_address_does_not_push_the_member_out() -> None:
    text = "Ann,ann@example.org,Supporter,Active,2020-01-01\nAnn,ann@example.org,Full member,Active,2020-01-01\n"
    assert [Reason.SUPPORTER, None] == reasons(text)


def test_the_same_membership_number_twice_is_a_duplicate() -> None:
    text = "No,Email,Type\nA7,ann@example.org,Full\na7,ann@example.net,Full\n"
    assert [None, Reason.DUPLICATE] == reasons(text, head="")


def test_the_rate_of_subscription_cannot_play_a_part() -> None:
    """By construction: there is no column for it, so every rate gives the same lines."""
    assert not any("rate" in name or "subscription" in name for name in Columns.__dataclass_fields__)
    lines = [
        examined(f"Ann,ann@example.org,Full member,Active,2020-01-01,{rate}\n", HEAD[:-1] + ",Rate\n").lines
        for rate in ("free", "concession", "basic", "solidarity", "")
    ]
    assert 1 == len(set(lines))


def test_sections_are_the_members_own() -> None:
    text = "Email,Type,Sub-region,Constituency,Groups\na@example.org,Full,North  East,Leeds Central,women; LGBT+ | Disabled\n"
    expected = ("constituency:Leeds Central", "group:Disabled", "group:LGBT+", "group:women", "region:North East")
    assert expected == examined(text, head="").lines[0].sections


def test_one_section_in_several_capitals_is_one_electorate() -> None:
    text = (
        "Email,Type,Constituency\na@example.org,Full,LEEDS\nb@example.org,Full,Leeds\nc@example.org,Full,Leeds\nd@example.org,Full,York\n"
    )
    found = examined(text, head="")
    assert {"constituency:Leeds": 3, "constituency:York": 1} == found.sections
    assert ("constituency:Leeds",) == found.lines[0].sections


@given(st.text(max_size=40), st.text(max_size=40))
def test_an_address_is_cleaned_to_one_line_or_refused(local: str, domain: str) -> None:
    try:
        address = roll.clean_email(f"{local}@{domain}")
    except MalformedError:
        return
    assert address.isprintable() or all(not c.isspace() for c in address)
    assert not set("\r\n\0") & set(address)
    assert roll.fold_email(address) == roll.fold_email(roll.clean_email(address.upper()))


# --- saved and frozen ---------------------------------------------------------------------------------------------


def test_loading_twice_keeps_who_stays_and_tells_the_difference(world: World) -> None:
    with world.database.write() as session:
        meeting = lifecycle.make_meeting(session, "AGM", OFFICER, world.now)
        first = roll.load(session, meeting.id, roll.preview(roll_csv(3), CUT_OFF), SECRETARY, world.now)
    before = {entry.email: entry.handle for entry in world.members(meeting)}
    with world.database.write() as session:
        second = roll.load(session, meeting.id, roll.preview(roll_csv(4), CUT_OFF), SECRETARY, world.now)
    after = {entry.email: entry.handle for entry in world.members(meeting)}
    assert 3 == len(first.new)
    assert (("member3@example.org",), ()) == (second.new, second.gone)
    assert before.items() <= after.items()


def test_freezing_publishes_commitment_and_figures_and_forgets_who_was_left_out(world: World) -> None:
    with world.database.write() as session:
        meeting = lifecycle.make_meeting(session, "AGM", OFFICER, world.now)
        roll.load(session, meeting.id, roll.preview(roll_csv(5), CUT_OFF), SECRETARY, world.now)
        assert 4 == len(roll.left_out(session, meeting.id))
    with world.database.write() as session:
        frozen = roll.freeze(session, meeting.id, SECRETARY, world.now)
    with world.database.read() as session:
        assert [] == roll.left_out(session, meeting.id)
        entry = journal.entries(session, meeting.id)[-1]
        assert roll.commitment(meeting.id, roll.leaves(session, frozen)) == frozen.commitment
        text = journal.text(session, meeting.id).decode()
    counts = {
        "joined after the cut-off": 1, "membership lapsed": 1, "supporter, not a full member": 1, "the same as another line": 1,
    }  # fmt: skip
    assert {"included": 5, "left out": counts, "commitment": frozen.commitment, "cut-off": "2026-01-31"} == entry.details
    assert "example.org" not in text
    assert "Member" not in text


def test_a_frozen_roll_takes_no_other_and_is_frozen_once(world: World) -> None:
    meeting = world.meeting()
    with world.database.write() as session, pytest.raises(PreconditionError):
        roll.load(session, meeting.id, roll.preview(roll_csv(3), CUT_OFF), SECRETARY, world.now)
    with world.database.write() as session, pytest.raises(PreconditionError):
        roll.freeze(session, meeting.id, SECRETARY, world.now)


def test_what_is_undecided_or_empty_is_not_frozen(world: World) -> None:
    with world.database.write() as session:
        meeting = lifecycle.make_meeting(session, "AGM", OFFICER, world.now)
    with world.database.write() as session, pytest.raises(NotFoundError):
        roll.freeze(session, meeting.id, SECRETARY, world.now)
    with world.database.write() as session, pytest.raises(PreconditionError):
        roll.load(session, meeting.id, examined("Ann,,Full member,Active,2020-01-01\n"), SECRETARY, world.now)
    undecided = "Ann,ann@example.org,Full member,Active,2020-01-01\nBen,ben@example.org,Honorary,Active,2020-01-01\n"
    with world.database.write() as session:
        roll.load(session, meeting.id, examined(undecided), SECRETARY, world.now)
    with world.database.write() as session, pytest.raises(PreconditionError, match="1 lines"):
        roll.freeze(session, meeting.id, SECRETARY, world.now)


def test_the_commitment_changes_with_every_member_and_cannot_be_guessed_without_the_salt(world: World) -> None:
    meeting = world.meeting()
    other = world.meeting()
    with world.database.read() as session:
        rows = [session.get_one(roll.Roll, m.id) for m in (meeting, other)]
        leaves = roll.leaves(session, rows[0])
    assert rows[0].commitment != rows[1].commitment  # the same people, another meeting and salt
    entry = world.members(meeting)[0]
    own = roll.own_salt(rows[0].salt, entry.handle)
    assert roll.leaf(meeting.id, own, entry.name, entry.email_key, entry.sections) in leaves
    guess = roll.leaf(meeting.id, roll.own_salt(bytes(32), entry.handle), entry.name, entry.email_key, entry.sections)
    assert guess not in leaves


def test_a_member_is_found_however_the_address_is_spelt(world: World) -> None:
    meeting = world.meeting()
    with world.database.read() as session:
        found = roll.find(session, meeting.id, " Member0+x@EXAMPLE.org ")
        assert isinstance(found, RollEntry)
        assert "member0@example.org" == found.email
        assert roll.find(session, meeting.id, "sue@example.org") is None
        assert roll.find(session, meeting.id, "no address") is None
        assert {"group:women": 3, "group:young": 3, "region:North": 4, "region:South": 4} == roll.sections(session, meeting.id)
        assert 8 == roll.size(session, meeting.id)
