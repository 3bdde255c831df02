"""The sample organisation: its members, its annual general meeting, and how invented members vote.

All people are invented; `example.org` belongs to nobody.
"""

from __future__ import annotations

import csv
import io
import random
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ballot.protocol.messages import Question, QuestionH, QuestionNH
from ballot.services.lifecycle import ElectionDraft

ORGANISATION = "Northern Members' Union"
SEED = 2026  # names, places and choices of the sample are the same on every machine; secrets never come from here

SUB_REGIONS = {
    "Cumbria and the Lakes": ("Barrow", "Carlisle", "Kendal", "Penrith", "Workington"),
    "Lancashire": ("Blackburn", "Burnley", "Lancaster", "Preston", "Rossendale", "Wyre"),
    "Greater Manchester": ("Bolton", "Bury", "Oldham", "Salford", "Stockport", "Wigan"),
    "Merseyside": ("Birkenhead", "Bootle", "Knowsley", "Southport", "Walton"),
    "Tyne, Wear and Tees": ("Gateshead", "Hartlepool", "Jarrow", "Stockton", "Wallsend"),
    "Yorkshire and the Humber": ("Batley", "Calder Valley", "Don Valley", "Halifax", "Hull", "Keighley"),
}
FIRST_NAMES = (
    "Aisha",
    "Alan",
    "Alice",
    "Amina",
    "Andrew",
    "Angela",
    "Bernard",
    "Beth",
    "Bilal",
    "Bridget",
    "Callum",
    "Carol",
    "Charlie",
    "Cheng",
    "Clare",
    "Daniel",
    "Dawn",
    "Deepa",
    "Derek",
    "Eileen",
    "Ellie",
    "Emeka",
    "Farah",
    "Finn",
    "Frances",
    "Gareth",
    "Grace",
    "Hamza",
    "Hannah",
    "Harriet",
    "Ian",
    "Imran",
    "Ingrid",
    "Jacek",
    "Jamal",
    "Jean",
    "Joe",
    "Judith",
    "Kamal",
    "Kate",
    "Keith",
    "Kirsty",
    "Leah",
    "Lewis",
    "Lucy",
    "Maeve",
    "Malcolm",
    "Mei",
    "Mohammed",
    "Nadia",
    "Neil",
    "Niamh",
    "Olu",
    "Owen",
    "Pat",
    "Priya",
    "Rhiannon",
    "Robin",
    "Rosa",
    "Ruth",
    "Sam",
    "Sandra",
    "Sean",
    "Shabana",
    "Sheila",
    "Stella",
    "Tariq",
    "Terry",
    "Tess",
    "Usha",
    "Val",
    "Vincent",
    "Wendy",
    "Will",
    "Yasmin",
    "Zoe",
)
LAST_NAMES = (
    "Ackroyd",
    "Adeyemi",
    "Ahmed",
    "Ainsworth",
    "Armitage",
    "Ashworth",
    "Barraclough",
    "Begum",
    "Bradshaw",
    "Byrne",
    "Chadwick",
    "Chaudhry",
    "Clegg",
    "Cooper",
    "Crowther",
    "Dalton",
    "Dixon",
    "Duffy",
    "Eastwood",
    "Entwistle",
    "Fairclough",
    "Farooq",
    "Fletcher",
    "Gallagher",
    "Greenwood",
    "Hardcastle",
    "Haworth",
    "Hussain",
    "Ibrahim",
    "Illingworth",
    "Jagger",
    "Kaur",
    "Kershaw",
    "Kowalska",
    "Lister",
    "Lomax",
    "Mahmood",
    "Marsden",
    "Metcalfe",
    "Murphy",
    "Nuttall",
    "O'Brien",
    "Ogden",
    "Okafor",
    "Patel",
    "Pickles",
    "Platt",
    "Ramsbottom",
    "Robson",
    "Schofield",
    "Shah",
    "Singh",
    "Stott",
    "Sutcliffe",
    "Tattersall",
    "Thackray",
    "Unsworth",
    "Wainwright",
    "Whitaker",
    "Wong",
)
RATES = ("free", "concession", "basic", "solidarity")
GROUPS = ("women", "BAME", "LGBT+", "Young", "Disabled")
RON = "Re-open nominations"

MOTIONS = (
    ("Motion 1: free buses for under-22s", "This meeting resolves to campaign for free bus travel for everyone under 22 across the North."),
    ("Motion 2: a strike fund", "This meeting resolves to set aside £5,000 a year for members in dispute."),
    ("Motion 3: change of rules", "This meeting resolves to let constituencies hold joint meetings. Changes of rules need two thirds."),
)
OFFICERS = (
    ("Co-Chair (first post)", 3),
    ("Co-Chair (second post)", 3),
    ("Secretary", 2),
    ("Treasurer", 2),
    ("Membership Secretary", 3),
)
COMMITTEE_SEATS, COMMITTEE_CANDIDATES = 6, 11
OFFICER, SECOND = ("Ruth Sutcliffe", "ruth.officer@example.org"), ("Dev Kershaw", "dev.deputy@example.org")
KEY_HOLDERS = (("Ama Boateng", "ama.keys@example.org"), ("Colin Hirst", "colin.keys@example.org"), ("Noor Rashid", "noor.keys@example.org"))
THRESHOLD = 2


@dataclass(frozen=True)
class Person:
    """One line of the sample's membership list."""

    number: str
    first: str
    last: str
    category: str = "Full member"
    status: str = "Active"
    joined: str = "2023-04-01"
    email: str | None = None
    groups: tuple[str, ...] = ()
    region: str = ""
    constituency: str = ""
    rate: str = "basic"

    @property
    def address(self) -> str:
        """Their e-mail address."""
        return self.email if self.email is not None else f"{self.first}.{self.last}".lower().replace("'", "") + "@example.org"


def people(today: date) -> list[Person]:
    """60 full members, and 20 others each of whom cannot vote for a reason of the roll."""
    late = (today - timedelta(days=7)).isoformat()
    luck = random.Random(SEED)
    names = luck.sample([(first, last) for first in FIRST_NAMES for last in LAST_NAMES], 79)
    everybody = list(_members(luck, names[:60]))
    others = list(_members(luck, names[60:], start=61))
    changed = [
        *(("Supporter", "Active", "2024-02-01", None) for _ in range(8)),
        *(("Full member", "Lapsed", "2021-09-14", None) for _ in range(5)),
        ("Full member", "Suspended", "2020-05-01", None),
        *(("Full member", "Active", late, None) for _ in range(3)),
        *(("Full member", "Active", "2022-11-30", "") for _ in range(2)),
    ]
    for person, (category, status, joined, email) in zip(others, changed, strict=True):
        everybody.append(Person(**{**person.__dict__, "category": category, "status": status, "joined": joined, "email": email}))
    twin = everybody[7]  # the same person twice: only the address's plus-tag differs
    name, _, host = twin.address.partition("@")
    everybody.append(Person(**{**twin.__dict__, "number": "M0080", "email": f"{name.title()}+union@{host}"}))
    return everybody


def _members(luck: random.Random, names: Sequence[tuple[str, str]], start: int = 1) -> Iterator[Person]:
    for number, (first, last) in enumerate(names, start):
        region = luck.choice(list(SUB_REGIONS))
        groups = tuple(group for group in GROUPS if luck.random() < (0.55 if group == "women" else 0.15))
        yield Person(
            f"M{number:04}",
            first,
            last,
            joined=f"{luck.randint(2018, 2024)}-{luck.randint(1, 12):02}-{luck.randint(1, 28):02}",
            groups=groups,
            region=region,
            constituency=luck.choice(SUB_REGIONS[region]),
            rate=luck.choice(RATES),
        )


def roll_file(today: date) -> bytes:
    """The sample's membership list as its membership system would export it."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(
        [
            "Membership number",
            "First name",
            "Surname",
            "E-mail address",
            "Membership type",
            "Status",
            "Date joined",
            "Subscription",
            "Sub-region",
            "Constituency",
            "Groups",
        ]
    )
    for person in people(today):
        writer.writerow(
            [
                person.number,
                person.first,
                person.last,
                person.address,
                person.category,
                person.status,
                person.joined,
                person.rate,
                person.region,
                person.constituency,
                "; ".join(person.groups),
            ]
        )
    return out.getvalue().encode("utf-8-sig")


def drafts(opens: datetime, closes: datetime) -> list[ElectionDraft]:
    """Three motions, five officer posts, a committee of six: three elections of one meeting."""
    luck = random.Random(SEED + 1)
    known = {f"{person.first} {person.last}": person for person in people(opens.date())[:60]}
    members = list(known)
    luck.shuffle(members)
    standing = iter(members)
    motions: list[Question] = [QuestionH(("For", "Against"), 1, 1, f"{title}\n{text}", True) for title, text in MOTIONS]
    posts: list[Question] = [QuestionNH((*(next(standing) for _ in range(number)), RON), title) for title, number in OFFICERS]
    committee = QuestionNH((*sorted(next(standing) for _ in range(COMMITTEE_CANDIDATES)), RON), "Strategy committee: six places")
    return [
        ElectionDraft(
            "Motions",
            motions,
            opens,
            closes,
            description="Vote for or against each motion, or abstain.",
            rules=[{"rule": "motion", "threshold": "simple-majority", "base": "cast", "quorum": 10}] * 2
            + [{"rule": "motion", "threshold": "two-thirds", "base": "cast", "quorum": 10}],
        ),
        ElectionDraft(
            "Officers",
            posts,
            opens,
            closes,
            description="Rank as many or as few as you like for each post.",
            rules=[{"rule": "av", "seats": 1, "ron": True} for _ in OFFICERS],
        ),
        ElectionDraft(
            "Strategy committee",
            [committee],
            opens,
            closes,
            description="Six places, filled by the single transferable vote, with quota places.",
            rules=[{"rule": "scottish-2011", "seats": COMMITTEE_SEATS, "ron": True, "constraints": _quota_places(committee, known)}],
        ),
    ]


def _quota_places(committee: QuestionNH, known: Mapping[str, Person]) -> dict[str, Any]:
    """At least half women, and at least one of each other group, as the candidates describe themselves."""
    groups = {group: [name for name in committee.answers if name in known and group in known[name].groups] for group in GROUPS}
    rules = [{"group": group, "at_least": "50%" if group == "women" else 1} for group in GROUPS]
    return {"groups": groups, "rules": rules, "if_infeasible": "leave-empty"}


def choices(draft: ElectionDraft, luck: random.Random) -> list[list[int]]:
    """One invented member's answers, in the protocol's form: each motion for, against or abstain; each ranking as long as they like."""
    answers: list[list[int]] = []
    for question in draft.questions:
        if isinstance(question, QuestionH):
            pick = luck.choices(("for", "against", "abstain"), weights=(60, 30, 10))[0]
            answers.append({"for": [0, 1, 0], "against": [0, 0, 1], "abstain": [1, 0, 0]}[pick])
        else:
            order = sorted(range(len(question.answers)), key=lambda i: luck.gauss(i * 0.4, 1.5))
            ranks = [0] * len(question.answers)
            for rank, candidate in enumerate(order[: luck.randint(1, len(order))], 1):
                ranks[candidate] = rank
            answers.append(ranks)
    return answers


def times(now: datetime) -> tuple[datetime, datetime]:
    """Voting opens now and closes in a fortnight, at 5pm UTC."""
    closes = (now + timedelta(days=14)).replace(hour=17, minute=0, second=0, microsecond=0)
    return now.replace(microsecond=0), closes.astimezone(UTC)
