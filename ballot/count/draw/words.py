"""The record in words."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from ballot.count.record import Event, Record, Stage, decimal

MOST_DECIMALS = 5


def decimals(record: Record) -> int:
    """How many decimals are shown: all of them, or two where the rule has more than five (Meek)."""
    return record.places if record.places <= MOST_DECIMALS else 2


def shown(record: Record, units: int) -> str:
    """Votes as printed in tables: cut to the decimals shown."""
    places = decimals(record)
    return decimal(units // 10 ** (record.places - places), places)


def brief(record: Record, units: int) -> str:
    """Votes as printed in a sentence: without closing zeros."""
    text = shown(record, units)
    return text.rstrip("0").rstrip(".") if "." in text else text


def listing(names: Sequence[str]) -> str:
    """A, B and C."""
    if len(names) < 2:
        return "".join(names)
    return ", ".join(names[:-1]) + " and " + names[-1]


def who(record: Record, candidates: Iterable[int]) -> str:
    """The candidates' names as a list in words."""
    return listing([record.name(candidate) for candidate in candidates])


def state_words(record: Record, candidate: int) -> str:
    """What became of a candidate: "Elected at stage 2", "Not elected", ..."""
    if candidate in record.sitting:
        return "Sitting member"
    for outcome in record.elected:
        if outcome.candidate == candidate:
            if candidate in record.ron:
                return f"Takes a seat at stage {label(record, outcome.stage)}: not filled"
            return f"Elected at stage {label(record, outcome.stage)}"
    if candidate in record.withdrawn:
        return "Withdrawn"
    for outcome in record.excluded:
        if outcome.candidate == candidate:
            return f"Excluded at stage {label(record, outcome.stage)}" if record.stages[1:] else "Not elected"
    return "Not elected"


def elected_by_stage(record: Record) -> str:
    """Who was elected at which stage, and where a seat went unfilled: one sentence a stage."""
    stages: dict[int, list[int]] = {}
    for outcome in record.elected:
        if outcome.candidate not in record.sitting:
            stages.setdefault(outcome.stage, []).append(outcome.candidate)
    parts = []
    for stage, candidates in stages.items():
        people = [candidate for candidate in candidates if candidate not in record.ron]
        if people:
            parts.append(f"Stage {label(record, stage)}: {who(record, people)} elected.")
        if len(people) < len(candidates):
            number = len(candidates) - len(people)
            parts.append(f"Stage {label(record, stage)}: {number} {'seat' if number == 1 else 'seats'} left unfilled.")
    return " ".join(parts)


def label(record: Record, stage: int) -> str:
    """A stage's printed number."""
    return record.stages[stage - 1].label


def headline(record: Record) -> str:
    """The result in one sentence."""
    winners = [record.name(candidate) for candidate in record.winners if candidate not in record.sitting]
    empty = f"{record.unfilled} of {record.seats} {'seats stays' if record.unfilled == 1 else 'seats stay'} unfilled."
    if record.seats == 1 and not winners:
        return "Nobody is elected: nominations are to be re-opened."
    first = f"Elected: {listing(winners)}." if winners else "Nobody is elected."
    return first + (f" {empty}" if record.unfilled else "")


def rule_words(rule: str) -> str:
    """A rule number as cited in a sentence."""
    if rule == "constraint":
        return "constraint"
    return f"rule {rule}" if rule[:1].isdigit() else rule


def sentences(record: Record) -> list[str]:
    """One sentence for each stage: what was done, under which rule number, and what came of it."""
    return [stage_sentence(record, stage) for stage in record.stages]


def stage_sentence(record: Record, stage: Stage) -> str:
    """The sentence of one stage."""
    parts = [f"Stage {stage.label} ({rule_words(stage.rule)}): {_done(record, stage)}"]
    parts += _decided(record, stage)
    return "; ".join(part for part in parts if part) + "."


def _done(record: Record, stage: Stage) -> str:
    names = who(record, stage.sources)
    if stage.kind == "first":
        return _first(record, stage)
    if stage.kind == "surplus":
        surplus = record.stages[stage.number - 2].totals[stage.sources[0]] - stage.totals[stage.sources[0]]
        each = "" if stage.value is None else f", each of their papers at {shown(record, stage.value)}"
        return f"the surplus of {names}, {brief(record, surplus)} votes, is transferred{each}{_stopped(record, stage)}"
    if stage.kind == "exclusion":
        return _exclusion(record, stage, names)
    if stage.kind == "end":
        return f"excluding {names} would leave only as many candidates as places, so nothing is transferred"
    number = f"after {stage.iterations} {'iteration' if stage.iterations == 1 else 'iterations'} " if stage.iterations else ""
    return f"{number}the quota is {brief(record, stage.quota)} votes and {brief(record, stage.non_transferable)} are non-transferable"


def _exclusion(record: Record, stage: Stage, names: str) -> str:
    be = _is(stage.sources)
    if not stage.transfers:
        return f"{names} {be} excluded with no papers to transfer"
    moved = sum(move.papers for move in stage.transfers)
    go = "is" if moved == 1 else "are"
    each = f" worth {shown(record, stage.value)} each" if stage.value is not None else ""
    stopped = _stopped(record, stage)
    if "." in stage.label and not stage.label.endswith(".1"):
        return f"{_papers(moved)} of {names}{each} {go} transferred{stopped}"
    why = " as the constraints require" if stage.rule == "constraint" else ""
    return f"{names} {be} excluded{why} and {_papers(moved)}{each} {go} transferred{stopped}"


def _stopped(record: Record, stage: Stage) -> str:
    """Votes that became non-transferable at this stage."""
    votes = stage.non_transferable - record.stages[stage.number - 2].non_transferable
    if not votes:
        return ""
    text = brief(record, votes)
    return f", and {text} {'vote becomes' if text == '1' else 'votes become'} non-transferable"


def _first(record: Record, stage: Stage) -> str:
    if record.rule_id in {"approval", "up-to-n"}:
        return f"the marks on {_papers(record.valid)} are counted"
    invalid = f" ({record.invalid} more {'is' if record.invalid == 1 else 'are'} invalid)" if record.invalid else ""
    figure = f"{brief(record, stage.quota)} votes"
    end = f"more than half is {figure}" if record.rule_id == "av" else f"the quota is {figure}"
    return f"{_papers(record.valid)}{invalid} {'is' if record.valid == 1 else 'are'} sorted by first preference and {end}"


def _papers(number: int) -> str:
    return f"{number} {'paper' if number == 1 else 'papers'}"


def _is(candidates: Sequence[int]) -> str:
    return "is" if len(candidates) == 1 else "are"


def _decided(record: Record, stage: Stage) -> list[str]:
    parts: list[str] = []
    grouped: dict[tuple[str, str, str, tuple[str, ...]], list[int]] = {}
    for event in stage.events:
        if event.kind in {"elected", "excluded", "doomed", "guarded", "over-quota-doomed"}:
            grouped.setdefault(_group_key(event), []).extend(event.candidates)
    done: set[tuple[str, str, str, tuple[str, ...]]] = set()
    for event in stage.events:
        key = _group_key(event)
        if key in grouped:
            if key not in done:
                done.add(key)
                parts.append(_group_words(record, stage, event, grouped[key]))
        else:
            parts.append(_event_words(record, event))
    return parts


def _group_key(event: Event) -> tuple[str, str, str, tuple[str, ...]]:
    """Events that are told together; why somebody is guarded was told when it began."""
    return (event.kind, event.rule, event.note, () if event.note == "passed-over" else event.limits)


def _group_words(record: Record, stage: Stage, event: Event, candidates: list[int]) -> str:
    names = who(record, candidates)
    one = len(candidates) == 1
    rule = rule_words(event.rule)
    limits = listing(event.limits)
    if event.kind == "elected":
        if event.note == "last-vacancies":
            return f"{names}, as many as the places left, {'is' if one else 'are'} elected ({rule})"
        if event.rule == "approval":
            return f"{names} {'has' if one else 'have'} the most and {'is' if one else 'are'} elected"
        figure = brief(record, stage.needed) if event.note == "active-vote" and stage.needed is not None else ""
        reach = f"the {figure} votes that now suffice" if figure else ("more than half" if record.rule_id == "av" else "the quota")
        return f"{names} {'reaches' if one else 'reach'} {reach} and {'is' if one else 'are'} elected ({rule})"
    if event.kind == "excluded":
        if event.note == "not-elected":
            return f"{names} {'is' if one else 'are'} not elected"
        if stage.kind in {"iteration", "first"}:
            return f"{names} {'has' if one else 'have'} the fewest votes and {'is' if one else 'are'} excluded ({rule})"
        return ""
    if event.kind == "doomed":
        return f"{names} can no longer be elected (constraint: {limits}) and {'is' if one else 'are'} excluded"
    if event.kind == "over-quota-doomed":
        return f"{names} {'has' if one else 'have'} the quota but cannot be elected under the constraints"
    if event.note == "passed-over":
        return f"{names} {'has' if one else 'have'} fewer votes but {'is' if one else 'are'} guarded"
    return f"{names} must now be elected (constraint: {limits}) and {'is' if one else 'are'} guarded"


def _event_words(record: Record, event: Event) -> str:
    rule = rule_words(event.rule)
    if event.kind == "tie":
        if event.tie is None:
            return f"{who(record, event.candidates)} have equal votes and are {event.note} ({rule})"
        tied, chosen = who(record, event.tie.tied), record.name(event.tie.chosen)
        how = "by lot" if event.tie.stage is None else f"by the votes at stage {label(record, event.tie.stage)}"
        return f"{tied} have equal votes and {chosen} is the one to be {event.note}, {how} ({rule})"
    if event.kind == "deferred":
        why = "the gap between the two lowest" if event.note == "gap" else "the gap above a group that can be excluded together"
        votes = "" if event.votes is None else f" of {brief(record, event.votes)} votes"
        return f"the surplus{votes} waits, being no more than {why} ({rule})"
    if event.kind == "quota" and event.votes is not None:
        return f"nobody being elected yet, the quota falls to {brief(record, event.votes)} ({rule})"
    return ""
