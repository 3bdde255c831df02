"""The record of a count: closed, exact, and the same bytes on every machine.

All votes are integers in units of 10**-places. In every stage: candidates' votes + non-transferable + lost to rounding
= valid papers; `Stage.check` holds every recorded stage to it.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

from ballot.count.ties import LotOrder, TieBreak

StageKind = Literal["first", "surplus", "exclusion", "iteration", "end"]
EventKind = Literal["elected", "excluded", "tie", "guarded", "doomed", "deferred", "quota", "end", "unfilled", "over-quota-doomed"]


def decimal(units: int, places: int) -> str:
    """The number of votes as decimal digits, always with `places` decimals."""
    sign = "-" if units < 0 else ""
    whole, part = divmod(abs(units), 10**places)
    return f"{sign}{whole}" + (f".{part:0{places}d}" if places else "")


@dataclass(frozen=True)
class Transfer:
    """Papers that went from one candidate to another (`target` None: non-transferable), and what they were worth."""

    source: int
    target: int | None
    papers: int
    votes: int


@dataclass(frozen=True)
class Event:
    """Something decided at a stage: who, under which rule number, and what sort of decision.

    `limits` are the constraints that acted; `tie` says how a tie was broken; `note` is the purpose or the reason in words.
    """

    kind: EventKind
    rule: str
    candidates: tuple[int, ...] = ()
    note: str = ""
    limits: tuple[str, ...] = ()
    tie: TieBreak | None = None
    votes: int | None = None


@dataclass(frozen=True)
class Stage:
    """One stage (or substage): what was done, every candidate's votes after it, and what was decided then."""

    number: int
    label: str
    kind: StageKind
    rule: str
    sources: tuple[int, ...]
    totals: tuple[int, ...]
    transfers: tuple[Transfer, ...]
    non_transferable: int
    residue: int
    quota: int
    events: tuple[Event, ...]
    value: int | None = None
    needed: int | None = None
    iterations: int | None = None
    keep_values: tuple[int, ...] | None = None

    def check(self, valid: int, places: int) -> None:
        """Votes + non-transferable + residue = valid papers; anything else is a bug of the rule, not of the papers."""
        if sum(self.totals) + self.non_transferable + self.residue != valid * 10**places:
            raise RuntimeError(f"stage {self.label} does not add up to the valid papers")


@dataclass(frozen=True)
class Outcome:
    """A candidate elected or excluded, and the stage (from 1, position in `Record.stages`) at which that was decided."""

    candidate: int
    stage: int


@dataclass(frozen=True)
class Record:
    """A whole count. `elected` is in order of election; `reopened` says which places are to be filled again, and for whom."""

    rule_id: str
    rule_version: str
    rule_title: str
    title: str
    candidates: tuple[str, ...]
    ron: tuple[int, ...]
    withdrawn: tuple[int, ...]
    seats: int
    places: int
    valid: int
    invalid: int
    mark_rule: str
    stages: tuple[Stage, ...]
    elected: tuple[Outcome, ...]
    excluded: tuple[Outcome, ...]
    unfilled: int
    lot: LotOrder | None = None
    constraints: tuple[str, ...] = ()
    constraint_notes: tuple[str, ...] = ()
    reopened: tuple[str, ...] = ()
    unconstrained: tuple[Outcome, ...] | None = None
    sitting: tuple[int, ...] = ()
    settings: tuple[tuple[str, str], ...] = ()
    listed: int = field(default=0)

    def votes(self, units: int) -> str:
        """The number of votes as decimal digits at this rule's number of places."""
        return decimal(units, self.places)

    def name(self, candidate: int) -> str:
        """The candidate's name; a further RON that stood only in the unconstrained count has none in the list."""
        if candidate < len(self.candidates):
            return self.candidates[candidate]
        return f"{self.candidates[self.ron[0]]} ({candidate - self.listed + 2})"

    def is_ron(self, candidate: int) -> bool:
        """Whether this is "re-open nominations", first or further."""
        return candidate in self.ron or candidate >= len(self.candidates)

    @property
    def winners(self) -> tuple[int, ...]:
        """People elected, in order of election; RON is nobody."""
        return tuple(outcome.candidate for outcome in self.elected if outcome.candidate not in self.ron)

    def to_dict(self) -> dict[str, Any]:
        """The record as plain JSON values: candidates numbered from 1, votes as decimal strings."""
        return {
            "format": "ballot-count-1",
            "rule": {"id": self.rule_id, "version": self.rule_version, "title": self.rule_title, "decimals": self.places},
            "settings": dict(self.settings),
            "title": self.title,
            "candidates": [
                {"id": index + 1, "name": name, **({"ron": True} if index in self.ron else {})}
                for index, name in enumerate(self.candidates)
            ],
            "withdrawn": [index + 1 for index in self.withdrawn],
            "sitting": [index + 1 for index in self.sitting],
            "seats": self.seats,
            "papers": {"cast": self.valid + self.invalid, "valid": self.valid, "invalid": self.invalid, "mark_rule": self.mark_rule},
            "lot": None if self.lot is None else {"order": [index + 1 for index in self.lot.order], "source": self.lot.source},
            "constraints": list(self.constraints),
            "constraint_notes": list(self.constraint_notes),
            "stages": [self._stage(stage) for stage in self.stages],
            "elected": [self._outcome(outcome) for outcome in self.elected],
            "excluded": [self._outcome(outcome) for outcome in self.excluded],
            "unfilled": self.unfilled,
            "reopened": list(self.reopened),
            "unconstrained": None if self.unconstrained is None else [self._outcome(outcome) for outcome in self.unconstrained],
        }

    def to_json(self) -> bytes:
        """The canonical bytes: UTF-8, keys sorted, no spaces, one line with a newline at its end."""
        text = json.dumps(self.to_dict(), sort_keys=True, ensure_ascii=False, separators=(",", ":"))
        return text.encode() + b"\n"

    def _outcome(self, outcome: Outcome) -> dict[str, Any]:
        ron = {"unfilled": True} if self.is_ron(outcome.candidate) else {}
        return {"id": outcome.candidate + 1, "name": self.name(outcome.candidate), "stage": outcome.stage, **ron}

    def _stage(self, stage: Stage) -> dict[str, Any]:
        data: dict[str, Any] = {
            "stage": stage.number,
            "label": stage.label,
            "kind": stage.kind,
            "rule": stage.rule,
            "from": [index + 1 for index in stage.sources],
            "totals": {str(index + 1): self.votes(units) for index, units in enumerate(stage.totals)},
            "transfers": [
                {
                    "from": move.source + 1,
                    "to": None if move.target is None else move.target + 1,
                    "papers": move.papers,
                    "votes": self.votes(move.votes),
                }
                for move in stage.transfers
            ],
            "non_transferable": self.votes(stage.non_transferable),
            "residue": self.votes(stage.residue),
            "quota": self.votes(stage.quota),
            "events": [self._event(event) for event in stage.events],
        }
        if stage.value is not None:
            data["transfer_value"] = self.votes(stage.value)
        if stage.needed is not None:
            data["needed_for_election"] = self.votes(stage.needed)
        if stage.iterations is not None:
            data["iterations"] = stage.iterations
        if stage.keep_values is not None:
            data["keep_values"] = {str(index + 1): self.votes(units) for index, units in enumerate(stage.keep_values)}
        return data

    def _event(self, event: Event) -> dict[str, Any]:
        data: dict[str, Any] = {"kind": event.kind, "rule": event.rule, "candidates": [index + 1 for index in event.candidates]}
        if event.note:
            data["note"] = event.note
        if event.limits:
            data["constraints"] = list(event.limits)
        if event.votes is not None:
            data["votes"] = self.votes(event.votes)
        if event.tie is not None:
            data["tied"] = [index + 1 for index in event.tie.tied]
            data["by"] = "lot" if event.tie.stage is None else "look-back"
            if event.tie.stage is not None:
                data["look_back_stage"] = event.tie.stage
        return data
