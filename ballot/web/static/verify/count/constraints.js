// Quota places: bounds on who is elected, over any groups (ballot/count/constraints.py).
//
// Whether the rest can still be filled is decided exactly: candidates in the same groups are alike, so the question is how many
// to take of each pattern of groups.

import { MalformedError } from "../../booth/bytes.js";
import { dumps } from "../json.js";
import { CountError } from "./errors.js";
import { ceilDiv, floorDiv, Fraction } from "./fractions.js";

const ONE = new Fraction(1n);
const NUMBER = /^([-+]?)(?:(\d+)\/(\d+)|(\d*)(?:\.(\d*))?(?:[eE]([-+]?\d{1,4}))?)$/;

// --- the declared setting

function fraction(text) {
  const match = NUMBER.exec(text);
  if (match === null) return null;
  const [, sign, over, under, whole = "", part = "", exponent = "0"] = match;
  if (over === undefined && whole === "" && part === "") return null;
  if (under !== undefined && BigInt(under) === 0n) return null;
  const power = BigInt(exponent) - BigInt(part.length);
  const value = over !== undefined
    ? new Fraction(BigInt(over), BigInt(under))
    : power >= 0n ? new Fraction(BigInt(whole + part) * 10n ** power) : new Fraction(BigInt(whole + part), 10n ** -power);
  return sign === "-" ? new Fraction(-value.n, value.d) : value;
}

function amountOf(value, where) {
  if (typeof value === "number" && value >= 0 && value <= 10_000) return { amount: new Fraction(BigInt(value)), share: false };
  if (typeof value === "string" && value.length <= 20) {
    const text = value.trim();
    const percent = text.endsWith("%");
    const read = fraction(percent ? text.slice(0, -1).trim() : text);
    const share = read !== null && percent ? read.over(new Fraction(100n)) : read;
    if (share !== null && share.n >= 0n && share.compare(ONE) <= 0 && /[%/]/.test(text)) return { amount: share, share: true };
  }
  throw new MalformedError(`${where}: an amount must be a whole number of seats, or a share such as “50%” or “1/3”.`);
}

function boundsOf(number, rule) {
  const where = `Rule ${number} of the constraints file`;
  if (!(rule instanceof Map) || typeof rule.get("group") !== "string") throw new MalformedError(`${where} must name its “group”.`);
  const keys = [...rule.keys()];
  if (keys.some((key) => !["group", "at_least", "at_most", "rounding"].includes(key)) || !(rule.has("at_least") || rule.has("at_most"))) {
    throw new MalformedError(`${where} must say “at_least” or “at_most”, and may say “rounding”.`);
  }
  const rounding = rule.get("rounding") ?? null;
  if (![null, "up", "down", "half-up"].includes(rounding)) throw new MalformedError(`${where}: “rounding” must be “up”, “down” or “half-up”.`);
  return [["at_least", "up"], ["at_most", "down"]]
    .filter(([side]) => rule.has(side))
    .map(([side, usual]) => ({ group: rule.get("group"), side, rounding: rounding ?? usual, ...amountOf(rule.get(side), where) }));
}

function membersOf(group, members, candidates) {
  if (!Array.isArray(members)) throw new MalformedError(`The members of group “${group}” must be a list of names or numbers.`);
  return new Set(
    members.map((member) => {
      if (typeof member === "number" && member >= 1 && member <= candidates.length) return member - 1;
      const at = candidates.indexOf(member);
      if (typeof member === "string" && at >= 0 && candidates.lastIndexOf(member) === at) return at;
      throw new MalformedError(`Group “${group}” names ${dumps(member).slice(0, 80)}, who is not one candidate.`);
    }),
  );
}

/** The constraints that a rule declares, as Maps and arrays. Throws MalformedError, CountError. */
export function parseConstraints(data, candidates) {
  const keys = data instanceof Map ? [...data.keys()] : [];
  if (!(data instanceof Map) || keys.some((key) => !["groups", "rules", "if_infeasible"].includes(key)) || !data.has("groups") || !data.has("rules")) {
    throw new MalformedError("The constraints file must have “groups” and “rules”, and may have “if_infeasible”.");
  }
  if (!(data.get("groups") instanceof Map) || !Array.isArray(data.get("rules"))) {
    throw new MalformedError("In the constraints file “groups” must be an object and “rules” a list.");
  }
  const groups = new Map([...data.get("groups")].map(([name, members]) => [name, membersOf(name, members, candidates)]));
  const fallback = data.has("if_infeasible") ? data.get("if_infeasible") : "refuse";
  if (!["refuse", "cap", "leave-empty"].includes(fallback)) {
    throw new MalformedError("“if_infeasible” in the constraints file must be “refuse”, “cap” or “leave-empty”.");
  }
  const bounds = data.get("rules").flatMap((rule, i) => boundsOf(i + 1, rule));
  for (const { group } of bounds) {
    if (!groups.has(group)) throw new CountError(`A constraint names the group “${group}”, which is not defined (defined: ${[...groups.keys()].join(", ") || "none"}).`);
  }
  return { groups, bounds, fallback };
}

function limitOf({ group, side, amount, share, rounding }, seats, members) {
  let number = Number(amount.n);
  if (share) {
    const { n, d } = amount.times(new Fraction(BigInt(seats)));
    number = Number({ up: () => ceilDiv(n, d), down: () => floorDiv(n, d), "half-up": () => floorDiv(2n * n + d, 2n * d) }[rounding]());
  }
  let text = `${side === "at_least" ? "at least" : "at most"} ${number} of group “${group}”`;
  if (share) {
    const percent = amount.times(new Fraction(100n));
    text += ` (${percent.d === 1n ? `${percent.n} %` : `${amount.n}/${amount.d}`} of ${seats} seats, rounded ${rounding})`;
  }
  return { group, members, minimum: side === "at_least" ? number : null, maximum: side === "at_most" ? number : null, text };
}

// --- the exact question

const inCommon = (members, others) => others.filter((one) => members.has(one)).length;

/**
 * Whether exactly `places` of `people` can join `elected` with every limit met. `spare` unfilled seats may later be filled by
 * anybody, so every minimum is met if it lacks at most that many.
 */
export function canFill(limits, elected, people, places, spare = 0) {
  const patterns = new Map();
  for (const person of people) {
    const name = limits.map(({ members }) => (members.has(person) ? "1" : "0")).join("");
    patterns.set(name, (patterns.get(name) ?? 0) + 1);
  }
  const have = limits.map(({ members }) => inCommon(members, elected));
  const needs = limits.map(({ minimum }, i) => (minimum === null ? 0 : Math.max(0, minimum - spare - have[i])));
  const rooms = limits.map(({ maximum }, i) => (maximum === null ? places : Math.min(places, maximum - have[i])));
  if (places > people.length || rooms.some((room) => room < 0)) return false;
  const groups = [...patterns].map(([name, available]) => ({ available, in: limits.flatMap((_, i) => (name[i] === "1" ? [i] : [])) }));
  groups.sort((a, b) => b.in.length - a.in.length);
  // What the groups from here on could still give, in all and to each limit.
  const rest = [{ all: 0, to: limits.map(() => 0) }];
  for (const group of [...groups].reverse()) {
    const before = rest[0];
    rest.unshift({ all: before.all + group.available, to: before.to.map((n, i) => n + (group.in.includes(i) ? group.available : 0)) });
  }
  const seen = new Set();

  function search(at, left, need, room) {
    if (left > rest[at].all || need.some((n, i) => n > Math.min(rest[at].to[i], left))) return false;
    if (left === 0) return true; // no need is left either
    const state = `${at}|${left}|${need}|${room}`;
    if (seen.has(state)) return false;
    seen.add(state);
    const group = groups[at];
    const most = Math.min(group.available, left, ...group.in.map((i) => room[i]));
    for (let taken = most; taken >= 0; taken -= 1) {
      const inside = (values, change) => values.map((value, i) => (group.in.includes(i) ? change(value) : value));
      if (search(at + 1, left - taken, inside(need, (n) => Math.max(0, n - taken)), inside(room, (n) => n - taken))) return true;
    }
    return false;
  }
  return search(0, places, needs, rooms);
}

function* combinations(items, size, from = 0) {
  if (size === 0) {
    yield [];
    return;
  }
  for (let i = from; i <= items.length - size; i += 1) for (const rest of combinations(items, size - 1, i + 1)) yield [items[i], ...rest];
}

/** The fewest limits that cannot be met together (the first such set in the order written); exact up to three. */
function smallestUnmet(limits, possible) {
  for (let size = 0; size <= Math.min(3, limits.length); size += 1) {
    for (const subset of combinations(limits, size)) if (!possible(subset)) return subset;
  }
  let core = [...limits];
  for (const limit of limits) {
    const without = core.filter((other) => other !== limit);
    if (!possible(without)) core = without;
  }
  return core;
}

// --- before the count

/** The limits for these candidates; feasible, or made so by the declared fallback: { limits, empty, notes }. Throws CountError. */
export function settle({ groups, bounds, fallback }, seats, people, ron) {
  const limits = bounds.map((bound) => limitOf(bound, seats, groups.get(bound.group)));
  const fill = Math.min(seats, people.length);
  const spare = ron ? seats - fill : 0;
  const possible = (some) => canFill(some, [], people, fill, spare);
  if (possible(limits)) return { limits, empty: 0, notes: [] };
  const unmet = smallestUnmet(limits, possible).map(({ text }) => text).join(" and ");
  const sentence = `No ${seats} of the candidates standing can meet the constraints; the smallest unmet set is: ${unmet}.`;
  if (fallback === "cap") {
    const notes = [];
    const capped = limits.map((limit) => {
      const standing = inCommon(limit.members, people);
      if (limit.minimum === null || limit.minimum <= standing) return limit;
      notes.push(`${limit.text}: only ${standing} standing, so the minimum is capped at ${standing}.`);
      return { ...limit, minimum: standing, text: `${limit.text}, capped at the ${standing} standing` };
    });
    if (canFill(capped, [], people, fill, spare)) return { limits: capped, empty: 0, notes };
  } else if (fallback === "leave-empty") {
    for (let empty = 1; empty < seats; empty += 1) {
      if (canFill(limits, [], people, Math.min(seats - empty, people.length), empty)) {
        return { limits, empty, notes: [`${sentence} ${empty} left empty, to be re-opened.`] };
      }
    }
  }
  throw new CountError(sentence);
}

// --- during the count

/** Answers, after every election and exclusion, who is doomed and who is guarded. `people` stand, without RON. */
export class Guard {
  #empty;

  constructor(limits, people, empty) {
    this.people = new Set(people);
    // RON is nobody, so it is in no group, whatever a file says.
    this.limits = limits.map((limit) => ({ ...limit, members: new Set([...limit.members].filter((one) => this.people.has(one))) }));
    this.#empty = empty;
  }

  /** { doomed, guarded }, each candidate -> the fewest limits that make it so. `places` are the seats still to be filled. */
  review(elected, continuing, places, takenByRon) {
    const [doomed, guarded] = [new Map(), new Map()];
    const people = [...continuing].filter((one) => this.people.has(one)).sort((a, b) => a - b);
    if (this.limits.length === 0 || people.length === 0) return { doomed, guarded };
    const ronStands = people.length < continuing.size;
    const fill = Math.min(places, people.length);
    const spare = this.#spare(elected, people, fill, this.#empty + takenByRon + places - fill);
    if (!canFill(this.limits, elected, people, fill, spare)) {
      throw new CountError("The constraints can no longer be met: somebody must have withdrawn during the count.");
    }
    // While RON stands nobody is guarded only because the seats could not be filled without them.
    const rest = ronStands ? Math.min(fill, people.length - 1) : fill;
    for (const one of people) {
      const others = people.filter((other) => other !== one);
      const withThem = (some) => canFill(some, [...elected, one], others, fill - 1, spare);
      const withoutThem = (some) => canFill(some, elected, others, rest, spare);
      if (!withThem(this.limits)) doomed.set(one, this.#reason(withThem));
      else if (!withoutThem(this.limits)) guarded.set(one, this.#reason(withoutThem));
    }
    return { doomed, guarded };
  }

  /** Whether these candidates can be excluded together and the rest still be filled. */
  mayExclude(group, elected, continuing, places, takenByRon) {
    const people = [...continuing].filter((one) => this.people.has(one));
    if (this.limits.length === 0 || people.length === 0) return true;
    const left = people.filter((one) => !group.includes(one));
    const fill = Math.min(places, people.length);
    const spare = this.#spare(elected, people, fill, this.#empty + takenByRon + places - fill);
    return canFill(this.limits, elected, left, people.length === continuing.size ? fill : Math.min(fill, left.length), spare);
  }

  /** Which unfilled places are to be re-opened for whom. */
  shortfalls(elected, unfilled) {
    return this.limits.flatMap(({ group, members, minimum, text }) => {
      const have = inCommon(members, elected);
      if (minimum === null || have >= minimum) return [];
      return [`${Math.min(unfilled, minimum - have)} of the unfilled places for group “${group}”: ${text}, ${have} elected.`];
    });
  }

  /** The fewest re-opened seats that have to count towards minimums. */
  #spare(elected, people, fill, most) {
    for (let spare = 0; spare <= most; spare += 1) if (canFill(this.limits, elected, people, fill, spare)) return spare;
    return most;
  }

  #reason(possible) {
    return smallestUnmet(this.limits, possible).map(({ text }) => text);
  }
}
