// Motions, in whole numbers, as in ballot/count/rules/motion.py.

import { CountError } from "./errors.js";

const SHARES = new Map([
  ["simple-majority", { n: 1, d: 2, moreThan: true, words: "half" }],
  ["two-thirds", { n: 2, d: 3, moreThan: false, words: "two thirds" }],
  ["three-quarters", { n: 3, d: 4, moreThan: false, words: "three quarters" }],
]);
const BASES = new Map([
  ["cast", "the votes for and against"],
  ["papers", "everyone who voted"],
  ["electorate", "everyone who could vote"],
]);

/** The threshold that a rule declares. Throws CountError. */
export function thresholdOf(rule) {
  const name = rule.has("threshold") ? rule.get("threshold") : "simple-majority";
  const base = rule.has("base") ? rule.get("base") : "cast";
  if (!SHARES.has(name) || !BASES.has(base)) throw new CountError("A motion's rule must name a threshold and a base that this software knows.");
  return { ...SHARES.get(name), base, simple: name === "simple-majority" && base === "cast" };
}

export function quorumOf(rule) {
  const quorum = rule.has("quorum") ? rule.get("quorum") : 0;
  if (typeof quorum !== "number" || quorum < 0) throw new CountError("A quorum must be a number of voters, 0 for none.");
  return quorum || null;
}

/** Whether the motion is carried: the plain values of its record. Throws CountError. */
export function decide(votesFor, against, abstain, threshold, electorate, quorum) {
  const papers = votesFor + against + abstain;
  if (papers > electorate) throw new CountError(`${papers} votes are more than the ${electorate} people who could vote.`);
  const base = { cast: votesFor + against, papers, electorate }[threshold.base];
  const { n, d, moreThan } = threshold;
  const needed = moreThan ? Math.floor((n * base) / d) + 1 : Math.ceil((n * base) / d);
  const met = quorum === null || papers >= quorum;
  const carried = votesFor >= needed && votesFor > 0 && met;
  const tie = threshold.simple && votesFor === against;
  return {
    format: "ballot-motion-1",
    rule: { id: "motion", version: "1" },
    carried,
    for: votesFor,
    against,
    abstain,
    electorate,
    threshold: { share: `${n}/${d}`, more_than: moreThan, base: threshold.base },
    base,
    needed,
    quorum,
    quorum_met: met,
    casting_vote: null,
    verdict: verdict({ carried, votesFor, against, abstain, papers, threshold, electorate, needed, quorum, met, tie }),
  };
}

function verdict({ carried, votesFor, against, abstain, papers, threshold, electorate, needed, quorum, met, tie }) {
  let figures = `${votesFor} for, ${against} against, ${abstain} abstained.`;
  if (electorate > 0) {
    const tenths = Math.floor((2000 * papers + electorate) / (2 * electorate));
    figures += ` Turnout ${papers} of ${electorate} (${Math.floor(tenths / 10)}.${tenths % 10} %).`;
  }
  const share = `${threshold.moreThan ? "more than" : "at least"} ${threshold.words} of ${BASES.get(threshold.base)}`;
  const parts = [`${carried ? "Carried" : "Not carried"}: ${figures}`, `It needed ${share}: ${needed}.`];
  if (quorum !== null) parts.push(`Quorum ${quorum}: ${met ? "met" : `not met, ${papers} voted`}.`);
  if (tie && papers > 0) parts.push("For and against were equal, so it falls.");
  return parts.join(" ");
}
