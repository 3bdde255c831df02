// A sealed ballot (v1 4.11, 4.17) from a member's answers: the text that is sent, and its receipt code.
//
// An answer is a list of small integers. Homomorphic question: 0 or 1 for each choice, preceded by 0 or 1 for "blank"
// where the question allows it. Ranked question: each choice's rank from 1, or 0 where it is not ranked.

import { canonicalJson } from "./bytes.js";
import { secretExponent } from "./credentials.js";
import { G, modQ, ofInts, ONE, pointText, power, times } from "./group.js";
import { compactHash } from "./hash.js";
import { iprove, proveBlank, proveBlankOrWithin, proveKnowledge, sign } from "./proofs.js";

/** A bug in the page, never a member's mistake: the screens make a bad answer impossible. */
function require(condition, message) {
  if (!condition) throw new RangeError(message);
}

const range = (min, max) => Array.from({ length: max - min + 1 }, (_, at) => min + at);
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

/** Throws RangeError unless the answer is one that this question allows. Nobody else checks a ranked one (4.11). */
export function checkAnswer(question, answer) {
  if (question.type === "NonHomomorphic") {
    require(answer.length === question.answers.length, "one rank for each choice");
    const ranks = answer.filter((rank) => rank !== 0).sort((a, b) => a - b);
    require(ranks.every((rank, at) => rank === at + 1), "ranks are 1, 2, 3 and so on, each once");
    return;
  }
  require(answer.length === question.answers.length + (question.blank ? 1 : 0), "one value for each choice");
  require(answer.every((value) => value === 0 || value === 1), "each choice is made or not");
  const chosen = sum(question.blank ? answer.slice(1) : answer);
  if (question.blank && answer[0] === 1) require(chosen === 0, "blank, or choices, not both");
  else require(question.min <= chosen && chosen <= question.max, "too few or too many choices");
}

function encrypt(y, r, plaintext) {
  return { alpha: power(G, r), beta: times(power(y, r), plaintext) };
}

const ciphertextJson = ({ alpha, beta }) => ({ alpha: pointText(alpha), beta: pointText(beta) });

/** 4.11 homomorphic answer. S0 is "fingerprint|public credential". */
function sealHomomorphic(y, question, S0, answer, rng) {
  const parts = answer.map((m) => {
    const r = rng.scalar();
    return { m, r, ciphertext: encrypt(y, r, m === 1 ? G : ONE) };
  });
  const choices = parts.map(({ ciphertext }) => ciphertextJson(ciphertext));
  const individual = parts.map(({ m, r, ciphertext }) => iprove(y, S0, r, m, [0, 1], ciphertext, rng));
  const S = `${S0}|${choices.map(({ alpha, beta }) => `${alpha},${beta}`).join(",")}`;
  const [zero, ...rest] = question.blank ? parts : [null, ...parts];
  const sigma = {
    m: sum(rest.map(({ m }) => m)),
    r: modQ(rest.reduce((total, { r }) => total + r, 0n)),
    ciphertext: {
      alpha: rest.reduce((product, { ciphertext }) => times(product, ciphertext.alpha), ONE),
      beta: rest.reduce((product, { ciphertext }) => times(product, ciphertext.beta), ONE),
    },
  };
  const values = range(question.min, question.max);
  if (!question.blank) {
    const overall = iprove(y, S, sigma.r, sigma.m - question.min, values, sigma.ciphertext, rng);
    return { choices, individual_proofs: individual, overall_proof: overall };
  }
  const overall = proveBlankOrWithin(y, S, zero, sigma, values, rng);
  const blank = proveBlank(y, S, zero, sigma, rng);
  return { choices, individual_proofs: individual, overall_proof: overall, blank_proof: blank };
}

/** 4.11 non-homomorphic answer: the whole ranking in one ciphertext. */
function sealRanked(y, S0, answer, rng) {
  const r = rng.scalar();
  const ciphertext = encrypt(y, r, ofInts(answer));
  return { choices: ciphertextJson(ciphertext), proof: proveKnowledge(y, S0, r, ciphertext, rng) };
}

/**
 * Seal one member's answers to every question of an election.
 * Returns { ballot, tracker }: the exact text to send, and the receipt code that belongs to exactly that text.
 */
export function encryptBallot(election, code, answers, rng) {
  require(answers.length === election.questions.length, "one answer for each question");
  election.questions.forEach((question, at) => checkAnswer(question, answers[at]));
  const y = election.publicKey;
  const s = secretExponent(election.uuid, code);
  const credential = pointText(power(G, s));
  const S0 = `${election.fingerprint}|${credential}`;
  const unsigned = {
    election_uuid: election.uuid,
    election_hash: election.fingerprint,
    credential,
    answers: election.questions.map((question, at) =>
      question.type === "NonHomomorphic"
        ? sealRanked(y, S0, answers[at], rng)
        : sealHomomorphic(y, question, S0, answers[at], rng),
    ),
  };
  const hash = compactHash(canonicalJson(unsigned));
  const ballot = canonicalJson({ ...unsigned, signature: { hash, proof: sign(s, hash, rng) } });
  return { ballot, tracker: compactHash(ballot) };
}
