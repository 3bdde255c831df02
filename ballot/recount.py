"""From an election's decrypted result to the outcome of each question, by the rule that its hashed text declares.

The bridge between `ballot.protocol` and `ballot.count`, and pure like both: the server publishes what comes out of here, and
`ballot verify` makes it again from the archive and compares the bytes.

A rule is one object of `Declarations.rules`:

    {"rule": "motion", "threshold": "simple-majority", "base": "cast", "quorum": 64}
    {"rule": "scottish-2011", "seats": 6, "ron": true, "constraints": {…}}     and the other ranked rules of `ballot.count.RULES`
    {"rule": "approval", "seats": 2, "ron": false}                             or "up-to-n", whose limit is the question's maximum

`quorum` is a number of voters, 0 for none. With `ron` the last choice is "re-open nominations". `constraints` is what
`ballot.count.constraints.parse_constraints` reads.

Lots: unless the returning officer drew one in public, the order comes from public data that was fixed before anybody could
know the result, the hash of the last event before the first decryption and the question's number: `<hash>|<number>`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final

from ballot.count import RULES, LotOrder, count
from ballot.count.constraints import Constraints, parse_constraints, settle
from ballot.count.draw.words import headline
from ballot.count.papers import Profile, profile_from_rankings
from ballot.count.record import Record
from ballot.count.rules.approval import count_totals
from ballot.count.rules.motion import SIMPLE_MAJORITY, THREE_QUARTERS, TWO_THIRDS, Base, MotionResult, Threshold, decide
from ballot.errors import BallotError, CountError, MalformedError
from ballot.protocol.declarations import Declarations
from ballot.protocol.messages import Election, Question, QuestionH, QuestionNH, Result, loads

Rule = Mapping[str, Any]

THRESHOLDS: Final[dict[str, Threshold]] = {
    "simple-majority": SIMPLE_MAJORITY,
    "two-thirds": TWO_THIRDS,
    "three-quarters": THREE_QUARTERS,
}
BASES: Final[dict[str, Base]] = {"cast": "cast", "papers": "papers", "electorate": "electorate"}
_MOTION_KEYS: Final = {"rule", "threshold", "base", "quorum"}
_SEATS_KEYS: Final = {"rule", "seats", "ron", "constraints"}
_FORMAT: Final = "ballot-results-1"


# --- reading a rule -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Seats:
    """A parsed rule that fills seats. `ron` is the number (from 0) of "re-open nominations", None without one."""

    rule_id: str
    seats: int
    ron: int | None
    constraints: Constraints | None


def motion_threshold(rule: Rule) -> Threshold:
    """The threshold that a motion's rule names; a simple majority of the votes cast where it names none.

    Raises: CountError.
    """
    name, base = rule.get("threshold", "simple-majority"), rule.get("base", "cast")
    if name not in THRESHOLDS or base not in BASES:
        raise CountError("A motion's rule must name a threshold and a base that this software knows.")
    return replace(THRESHOLDS[name], base=BASES[base])


def _quorum(rule: Rule) -> int | None:
    quorum = rule.get("quorum", 0)
    if type(quorum) is not int or quorum < 0:
        raise CountError("A quorum must be a number of voters, 0 for none.")
    return quorum or None


def _seats(rule: Rule, question: Question) -> _Seats:
    _known_keys(rule, _SEATS_KEYS)
    seats, ron = rule.get("seats", 1), rule.get("ron", False)
    if type(seats) is not int or seats < 1 or type(ron) is not bool:
        raise CountError("A rule must say how many seats there are, and whether nominations can be re-opened.")
    return _Seats(str(rule["rule"]), seats, len(question.answers) - 1 if ron else None, quota_places(rule, question))


def quota_places(rule: Rule, question: Question) -> Constraints | None:
    """The quota places that a rule declares, None without any. Raises: CountError, MalformedError."""
    constraints = rule.get("constraints")
    return None if constraints is None else parse_constraints(json.dumps(constraints), question.answers)


def _known_keys(rule: Rule, known: set[str]) -> None:
    if unknown := sorted(set(rule) - known):
        raise CountError(f"A rule has a setting that this software does not know: “{unknown[0][:40]}”.")


def check_rule(question: Question, rule: Rule) -> None:
    """Check at set-up that this rule can count this question, and that its quota places can be met by those standing.

    Raises:
        CountError: an unknown rule or setting, or one that does not fit the question.
        InfeasibleConstraintError: nobody's election could meet the quota places; the text names the smallest unmet set.
    """
    name = rule.get("rule")
    if name == "motion":
        _known_keys(rule, _MOTION_KEYS)
        if not isinstance(question, QuestionH) or len(question.answers) != 2 or (question.min, question.max) != (1, 1):
            raise CountError("A motion's question has two answers, for and against, of which a member chooses one.")
        motion_threshold(rule)
        _quorum(rule)
        return
    if not isinstance(name, str) or name not in RULES:
        raise CountError(f"There is no rule “{str(name)[:40]}”; there are motion, {', '.join(RULES)}.")
    settings = _seats(rule, question)
    if (RULES[name].kind == "approval") != isinstance(question, QuestionH):
        raise CountError(f"{RULES[name].title} does not fit this kind of question.")
    if RULES[name].kind == "single" and settings.seats != 1:
        raise CountError(f"{RULES[name].title} fills one seat, not {settings.seats}.")
    people = set(range(len(question.answers))) - {settings.ron}
    if not people:
        raise CountError("Nobody stands: there are no choices but to re-open nominations.")
    if settings.constraints is not None:
        settle(settings.constraints, settings.seats, people, ron=settings.ron is not None)


# --- counting -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Acts:
    """What the returning officer did after the close and before the first share of a key-holder, on the journal: not in the
    hashed text, so it is published.

    By question number from 1. `lots`: an order of the choices drawn in public, most favoured first. `withdrawn`: who
    withdrew before the count. Choices are numbered from 0 here and from 1 in the file.
    """

    lots: Mapping[int, tuple[int, ...]] = field(default_factory=dict)
    withdrawn: Mapping[int, tuple[int, ...]] = field(default_factory=dict)

    def to_json(self) -> dict[str, dict[str, list[int]]]:
        """As it stands in the file."""
        return {
            name: {str(number): [choice + 1 for choice in choices] for number, choices in sorted(acts.items())}
            for name, acts in (("lots", self.lots), ("withdrawn", self.withdrawn))
        }

    @classmethod
    def from_json(cls, value: object) -> Acts:
        """Raises: MalformedError."""
        if not isinstance(value, dict) or set(value) != {"lots", "withdrawn"}:
            raise MalformedError("the acts of a published count must be its lots and who withdrew")
        return cls(_acts(value["lots"]), _acts(value["withdrawn"]))


def _acts(value: object) -> dict[int, tuple[int, ...]]:
    found = {}
    for number, choices in value.items() if isinstance(value, dict) else (("", None),):
        if not (isinstance(number, str) and number.isascii() and number.isdigit() and len(number) < 6) or not isinstance(choices, list):
            raise MalformedError("an act in a published count must name a question and a list of choices")
        if not all(type(choice) is int and choice > 0 for choice in choices):
            raise MalformedError("an act in a published count must list choices by number, from 1")
        found[int(number)] = tuple(choice - 1 for choice in choices)
    return found


NO_ACTS: Final = Acts()


@dataclass(frozen=True)
class Outcome:
    """What one question came to.

    `number` counts from 1; `ballots` were counted in all. For totals: `totals` by answer and `blank` (abstentions). For
    rankings: `rankings`, each a tuple of answer numbers from 0 in order of choice, never the content of an invalid one;
    `blank` counts empty papers, `invalid` values that are no ranking, which only a booth that was tampered with can make.
    `motion` or `record` is the count under the declared rule, and `uncounted` says why there is neither ("" without a rule).
    """

    number: int
    question: Question
    rule: Rule
    ballots: int
    totals: tuple[int, ...] = ()
    rankings: tuple[tuple[int, ...], ...] = ()
    blank: int = 0
    invalid: int = 0
    motion: MotionResult | None = None
    record: Record | None = None
    uncounted: str = ""

    @property
    def verdict(self) -> str:
        """The sentence that stands first; empty for a question without a rule."""
        if self.motion is not None:
            return self.motion.verdict
        return self.uncounted if self.record is None else headline(self.record)

    @property
    def profile(self) -> Profile:
        """The papers of a ranked question."""
        seats = self.rule.get("seats", 1)
        return profile_from_rankings(self.question.answers, self.rankings, seats if type(seats) is int else 1, title=self.question.question)

    def to_json(self) -> dict[str, Any]:
        """As it stands in the file of results. Rankings are in the archive and the .blt file, not here."""
        counted: Any = None
        if self.motion is not None:
            counted = json.loads(self.motion.to_json())
        elif self.record is not None:
            counted = self.record.to_dict()
        return {
            "question": self.number,
            "ballots": self.ballots,
            "totals": list(self.totals),
            "blank": self.blank,
            "invalid": self.invalid,
            "count": counted,
            "uncounted": self.uncounted,
        }


def ranking_of(values: Sequence[int]) -> tuple[int, ...] | None:
    """Answer numbers from 0 in order of choice; None if the ranks used are not exactly 1 … k, each once."""
    ranked = sorted((rank, answer) for answer, rank in enumerate(values) if rank)
    if [rank for rank, _ in ranked] != list(range(1, len(ranked) + 1)):
        return None
    return tuple(answer for _, answer in ranked)


def count_election(
    election: Election,
    declarations: Declarations | None,
    result: Result,
    *,
    ballots: int,
    electorate: int,
    seed: str,
    acts: Acts = NO_ACTS,
) -> tuple[Outcome, ...]:
    """The outcome of every question. `ballots` were counted and `electorate` could vote; `seed` is the event hash for lots.

    A rule that cannot count these papers (nobody voted, a tie between two choices of one name) is no error here: the outcome says so.
    """
    rules: Sequence[Rule] = declarations.rules if declarations is not None and declarations.rules else [{}] * len(election.questions)
    outcomes = []
    for number, (question, rule, row) in enumerate(zip(election.questions, rules, result.result, strict=True), start=1):
        plain = _plain(number, question, rule, ballots, row)
        try:
            outcomes.append(_counted(plain, electorate, seed, acts) if rule else plain)
        except (CountError, MalformedError) as error:
            outcomes.append(replace(plain, uncounted=str(error)))
    return tuple(outcomes)


def _plain(number: int, question: Question, rule: Rule, ballots: int, row: Sequence[Any]) -> Outcome:
    if isinstance(question, QuestionH):
        blank, totals = (row[0], row[1:]) if question.blank else (0, row)
        return Outcome(number, question, rule, ballots, totals=tuple(totals), blank=blank)
    rankings = [ranking_of(values) for values in row]
    return Outcome(
        number,
        question,
        rule,
        ballots,
        rankings=tuple(ranking for ranking in rankings if ranking),
        blank=sum(ranking == () for ranking in rankings),
        invalid=sum(ranking is None for ranking in rankings),
    )


def _counted(plain: Outcome, electorate: int, seed: str, acts: Acts) -> Outcome:
    question, rule, number = plain.question, plain.rule, plain.number
    check_rule(question, rule)
    if rule["rule"] == "motion":
        threshold, quorum = motion_threshold(rule), _quorum(rule)
        votes_for, against = plain.totals
        result = decide(votes_for, against, plain.blank, threshold=threshold, electorate=electorate, quorum=quorum)
        return replace(plain, motion=result)
    settings, names = _seats(rule, question), question.answers
    lot = LotOrder.typed(acts.lots[number], len(names)) if number in acts.lots else _seeded_lot(seed, number, names)
    if isinstance(question, QuestionNH):
        profile = plain.profile.without(acts.withdrawn.get(number, ()))
        record = count(settings.rule_id, profile, settings.seats, ron=settings.ron, constraints=settings.constraints, lot=lot)
    else:
        record = count_totals(
            names,
            plain.totals,
            plain.ballots - plain.blank,
            settings.seats,
            ron=settings.ron,
            constraints=settings.constraints,
            lot=lot,
            title=question.question,
            limit=question.max if settings.rule_id == "up-to-n" else None,
        )
    return replace(plain, record=record)


def _seeded_lot(seed: str, number: int, names: Sequence[str]) -> LotOrder | None:
    try:
        return LotOrder.from_seed(f"{seed}|{number}", names)
    except CountError:
        return None  # two choices of one name: the count says so itself if it comes to a lot


# --- the published file ---------------------------------------------------------------------------------------------


def results_file(election: Election, outcomes: Sequence[Outcome], *, result_hash: str, seed: str, acts: Acts = NO_ACTS) -> bytes:
    """The published file of results, `<uuid>.results.json`: the same bytes on every machine. `result_hash` is the Result object's."""
    data = {
        "format": _FORMAT,
        "election": election.uuid,
        "fingerprint": election.fingerprint,
        "result": result_hash,
        "seed": seed,
        "acts": acts.to_json(),
        "questions": [outcome.to_json() for outcome in outcomes],
    }
    return json.dumps(data, sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def published_acts(data: bytes) -> Acts:
    """What a file of results says the returning officer did; everything else in it is recounted, not read.

    Raises: MalformedError.
    """
    try:
        value = loads(data)
    except BallotError as error:
        raise MalformedError("the file of results is not JSON") from error
    if not isinstance(value, dict) or value.get("format") != _FORMAT:
        raise MalformedError("this is not a file of results")
    return Acts.from_json(value.get("acts"))
