// A ranking while it is being made: choice numbers, first choice first. Each act returns a new ranking that is valid,
// so a bad one cannot be sent: a ranked answer carries no proof of its content (v1 4.11).

export function choose(ranking, choice) {
  return ranking.includes(choice) ? ranking : [...ranking, choice];
}

export function remove(ranking, choice) {
  return ranking.filter((other) => other !== choice);
}

/** Move one place up (-1) or down (+1); at the end of the list nothing changes. */
export function move(ranking, choice, by) {
  const from = ranking.indexOf(choice);
  const to = from + by;
  if (from < 0 || to < 0 || to >= ranking.length) return ranking;
  const moved = [...ranking];
  [moved[from], moved[to]] = [moved[to], moved[from]];
  return moved;
}

/** Each choice's rank from 1, or 0: the answer of v1. */
export function toRanks(ranking, count) {
  return Array.from({ length: count }, (_, choice) => ranking.indexOf(choice) + 1);
}

/** The numbers to show beside the choices for a ranking. */
export function toTyped(ranking, count) {
  return toRanks(ranking, count).map((rank) => (rank === 0 ? "" : String(rank)));
}

/**
 * A ranking from typed numbers: { ranking, problems }. `problems` has one entry per wrong field, { choice, kind, … };
 * the ranking is only to be used when there are none.
 */
export function fromTyped(typed) {
  const problems = [];
  const byRank = new Map();
  typed.forEach((text, choice) => {
    const trimmed = text.trim();
    if (trimmed === "") return;
    const rank = /^\d{1,3}$/.test(trimmed) ? Number(trimmed) : 0;
    if (rank < 1 || rank > typed.length) problems.push({ choice, kind: "range", text: trimmed });
    else if (byRank.has(rank)) problems.push({ choice, kind: "twice", rank, other: byRank.get(rank) });
    else byRank.set(rank, choice);
  });
  if (problems.length === 0) {
    let expected = 1;
    for (const [rank, choice] of [...byRank].sort(([a], [b]) => a - b)) {
      if (rank !== expected) {
        problems.push({ choice, kind: "gap", rank, missing: expected });
        break;
      }
      expected += 1;
    }
  }
  const ranking = [...byRank].sort(([a], [b]) => a - b).map(([, choice]) => choice);
  return { ranking, problems };
}
