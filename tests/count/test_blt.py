"""Every oddity of a .blt file: handled by the named mark rule, or refused with its line and the reason."""

from __future__ import annotations

import pytest

from ballot.count import count
from ballot.count.blt import MAX_BYTES, read_blt, write_blt
from ballot.count.papers import MARK_RULES, apply_mark_rule
from ballot.errors import CountError, MalformedError

GOOD = '3 2\n4 1 2 0\n2 3 0\n0\n"Castor"\n"Pollux"\n"Helen"\n"Twins"\n'


def test_a_plain_file() -> None:
    profile = read_blt(GOOD)
    assert (("Castor", "Pollux", "Helen"), 2, "Twins", 6) == (profile.candidates, profile.seats, profile.title, profile.cast)
    assert ((4, (0, 1)), (2, (2,))) == profile.papers
    assert GOOD == write_blt(profile).replace("2 3 0\n", "", 1).replace("4 1 2 0\n", "4 1 2 0\n2 3 0\n")


@pytest.mark.parametrize(
    "text",
    [
        GOOD.replace("\n", "\r\n"),
        "\ufeff" + GOOD,
        GOOD.replace("3 2\n", "# papers of the twins\n\n3 2 # candidates, seats\n"),
        GOOD.replace('"Twins"', '"Twins" # the title'),
        GOOD.replace("4 1 2 0", "  4   1\t2 0  "),
        GOOD.replace("4 1 2 0", "1 1 2 0\n3 1 2 0"),
        GOOD.rstrip("\n"),
        GOOD + "\n\n",
    ],
)
def test_harmless_differences_read_the_same(text: str) -> None:
    assert read_blt(GOOD).papers == read_blt(text.encode()).papers
    assert read_blt(GOOD).title == read_blt(text.encode()).title


def test_names_in_any_script_and_with_quotes_and_hashes() -> None:
    profile = read_blt(GOOD.replace('"Castor"', '"Cåstor “C” O\'Neil # 1 "Ace""'))
    assert 'Cåstor “C” O\'Neil # 1 "Ace"' == profile.candidates[0]
    assert profile.candidates == read_blt(write_blt(profile)).candidates


def test_withdrawn_tie_order_empty_papers_and_no_title() -> None:
    profile = read_blt('3 1\n-2\n[tie 3 2 1 ]\n4 1 2 0\n5 0\n0\n"A"\n"B"\n"C"\n')
    assert (frozenset({1}), (2, 1, 0), 5, "") == (profile.withdrawn, profile.tie_order, profile.invalid, profile.title)
    assert (4, 5) == (count("av", profile, 1).valid, count("av", profile, 1).invalid)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "empty"),
        ("\n \n", "empty"),
        ("x", "Line 1: the first line must be"),
        ("3\n", "Line 1: the first line"),
        ("-3 2\n", "Line 1"),
        ("0 1\n0\n", "Line 1: 0 candidates"),
        ("2000 5\n0\n", "Line 1: 2000 candidates"),
        ("3 0\n", "Line 1: 0 seats"),
        ("9" * 5000 + " 1\n", "Line 1"),
        (GOOD.replace("4 1 2 0", "4 1 2"), "Line 2: the paper does not end with 0"),
        (GOOD.replace("4 1 2 0", "4 1 2 0 3 1 0"), "Line 2: a 0 in the middle"),
        (GOOD.replace("4 1 2 0", "4 1 7 0"), "Line 2: “7” is not a candidate"),
        (GOOD.replace("4 1 2 0", "4 1 -2 0"), "Line 2: “-2” is not a candidate"),
        (GOOD.replace("4 1 2 0", "4 1 02 0"), "Line 2: “02” is not a candidate"),
        (GOOD.replace("4 1 2 0", "4 1 ２ 0"), "Line 2"),
        (GOOD.replace("4 1 2 0", "4.5 1 2 0"), "Line 2: “4.5” papers: only whole"),
        (GOOD.replace("4 1 2 0", "four 1 2 0"), "Line 2: “four” is not a number of papers"),
        (GOOD.replace("4 1 2 0", "99999999999999999999 1 2 0"), "Line 2: .* not a possible number"),
        (GOOD.replace("4 1 2 0", "9999999999 1 2 0"), "Line 2: more than 1000000000 papers"),
        (GOOD.replace("4 1 2 0", "0 1 2 0"), "Line 2: “0” is not a possible number of papers"),
        (GOOD.replace("2 3 0\n0", "2 3 0\n-2\n0"), "Line 4: withdrawn candidates must stand"),
        (GOOD.replace("4 1 2 0", "-9"), "Line 2: “-9” is not a withdrawn candidate"),
        (GOOD.replace("4 1 2 0", "-1 -1"), "Line 2: a candidate is withdrawn twice"),
        (GOOD.replace("4 1 2 0", "[nick a b c]"), "Line 2: the option"),
        (GOOD.replace("4 1 2 0", "[tie 1 2]"), "Line 2: the order for lots"),
        (GOOD.replace("\n0\n", "\n"), "Line 4: a name before the lone 0"),
        ("3 2\n4 1 2 0\n", "ends before the lone 0"),
        (GOOD.replace('"Helen"\n"Twins"\n', ""), "3 candidates, but only 2 names"),
        (GOOD + '"More"\n', "something follows the title"),
        (GOOD.replace('"Pollux"', "Pollux"), "Line 6: names and the title must be in double quotes"),
        (GOOD.replace('"Pollux"', '"Pollux'), "Line 6: the closing quote"),
        (GOOD.replace('"Pollux"', '"Pol\x07lux"'), "Line 6: a control character"),
        (GOOD.replace('"Pollux"', '""'), "Line 6: a candidate without a name"),
        (GOOD.replace("4", "\0"), "Line 2: a zero byte"),
    ],
)
def test_everything_else_is_refused_with_its_line_and_the_reason(text: str, words: str) -> None:
    with pytest.raises(MalformedError, match=words):
        read_blt(text)


def test_bytes_that_are_no_text_and_files_that_are_too_large() -> None:
    with pytest.raises(MalformedError, match="Line 5: the file is not UTF-8"):
        read_blt(GOOD.replace("Castor", "C\u00e5stor").encode("latin-1"))
    with pytest.raises(MalformedError, match="at most"):
        read_blt(b"1" * (MAX_BYTES + 1))
    with pytest.raises(MalformedError, match="no mark rule"):
        read_blt(GOOD, "nonsense")


ODD = '4 1\n5 1 - 2 0\n3 1 2=3 4 0\n2 2 2 3 0\n1 - 4 0\n1 3=4 1 0\n0\n"A"\n"B"\n"C"\n"D"\n'


@pytest.mark.parametrize(
    ("rule", "expected", "invalid"),
    [
        ("clear-order", {(0,): 8, (1, 2): 2}, 2),
        ("skip-blanks", {(0, 1): 5, (0,): 3, (1, 2): 2, (3,): 1}, 1),
        ("minneapolis-2013", {(0, 1): 5, (0,): 3, (1, 2): 2, (3,): 1}, 1),
        ("minneapolis-2017", {(0, 1): 5, (0, 3): 3, (1, 2): 2, (3,): 1, (0,): 1}, 0),
        ("equal-ranks", {(0, 1): 5, (0, (1, 2), 3): 3, (1, 2): 2, (3,): 1, ((2, 3), 0): 1}, 0),
    ],
)
def test_each_mark_rule_reads_the_same_oddities_its_own_way(rule: str, expected: dict, invalid: int) -> None:
    profile = read_blt(ODD, rule)
    assert expected == {ranking: weight for weight, ranking in profile.papers}
    assert invalid == profile.invalid
    if rule == "equal-ranks":
        assert set(profile.papers) == set(read_blt(write_blt(profile), "equal-ranks").papers)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("5 1 - 2 0", "rank 2 is left blank"),
        ("5 1 2=3 0", "rank 2 names several"),
        ("5 1 1 0", "rank 2 names a candidate again"),
        ("5 1=1 0", "rank 1 names a candidate again"),
    ],
)
def test_the_strict_rule_refuses_them_with_the_line(line: str, words: str) -> None:
    with pytest.raises(MalformedError, match=f"Line 2: {words}"):
        read_blt(GOOD.replace("4 1 2 0", line))


def test_two_blanks_in_a_row_stop_a_minneapolis_paper_and_a_repeat_is_no_blank() -> None:
    rule = MARK_RULES["minneapolis-2017"]
    assert (0, 1) == apply_mark_rule([(0,), (), (1,)], rule)
    assert (0,) == apply_mark_rule([(0,), (), (), (1,)], rule)
    assert (0, 1) == apply_mark_rule([(0,), (), (0,), (), (1,)], rule)


def test_equal_ranks_are_counted_by_meek_and_refused_by_the_others() -> None:
    profile = read_blt('3 1\n4 1=2 0\n3 3 0\n1 1 0\n0\n"A"\n"B"\n"C"\n', "equal-ranks")
    for rule in ("meek", "meek-exact"):
        record = count(rule, profile, 1)
        assert ["3", "2", "3"] == [record.votes(units).split(".")[0] for units in record.stages[0].totals]
        assert (0,) == record.winners
    for rule in ("scottish-2011", "ers97", "meek-nz", "av"):
        with pytest.raises(CountError, match="rank candidates equal"):
            count(rule, profile, 1)


def test_too_many_equal_ranks_to_share_are_refused() -> None:
    names = "".join(f'"{index}"\n' for index in range(9))
    profile = read_blt("9 1\n1 1=2=3=4=5=6=7=8 0\n0\n" + names, "equal-ranks")
    with pytest.raises(CountError, match="orders"):
        count("meek", profile, 1)
