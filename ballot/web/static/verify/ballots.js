// Checking a cast ballot (v1 4.11 to 4.17): its form, its signature, and the proof that each answer is a permitted one.

import { G, modQ, ONE, pointText } from "../booth/group.js";
import { compactHash, hashToScalar } from "../booth/hash.js";
import { check, ciphertext, hasKeys, isObject, isText, key, list, proof, read } from "./messages.js";
import { publicPower } from "./points.js";
import { exponentHolds } from "./proving.js";

const small = [ONE];

function smallPower(m) {
  for (let i = small.length; i <= m; i += 1) small.push(small[i - 1].add(G));
  return small[m];
}

/** The same pair with g^m divided out: it encrypts 0 exactly when the pair encrypts m. */
const minus = ({ alpha, beta }, m) => ({ alpha, beta: m === 0 ? beta : beta.subtract(smallPower(m)) });

function disjunctionHolds(statement, y, branches, proofs) {
  if (branches.length !== proofs.length) return false;
  const commitments = branches.flatMap(({ alpha, beta }, i) => {
    const { challenge, response } = proofs[i];
    return [
      publicPower(G, response).add(publicPower(alpha, challenge)),
      publicPower(y, response).add(publicPower(beta, challenge)),
    ];
  });
  const total = proofs.reduce((sum, { challenge }) => modQ(sum + challenge), 0n);
  return hashToScalar(`${statement}|${commitments.map(pointText).join(",")}`) === total;
}

function answer(value, question, decode) {
  if (question.type === "NonHomomorphic") {
    check(hasKeys(value, "choices", "proof") && isObject(value.choices), "an answer does not fit its question");
    return { choices: ciphertext(value.choices, decode), proof: proof(value.proof) };
  }
  check(
    hasKeys(value, "choices", "individual_proofs", "overall_proof", ...(question.blank ? ["blank_proof"] : [])),
    "an answer does not fit its question",
  );
  const length = question.answers.length + (question.blank ? 1 : 0);
  return {
    choices: list(value.choices, (one) => ciphertext(one, decode), length),
    individual: list(value.individual_proofs, (one) => list(one, proof), length),
    overall: list(value.overall_proof, proof),
    blank: question.blank ? list(value.blank_proof, proof, 2) : null,
  };
}

/** A ballot's text as { credential, credentialText, answers, signature }. Throws MalformedError. */
export function parseBallot(text, election, decode) {
  const json = read(text);
  check(
    hasKeys(json, "election_uuid", "election_hash", "credential", "answers", "signature") &&
      hasKeys(json.signature, "hash", "proof") && isText(json.signature.hash),
    "a ballot has the wrong fields",
  );
  check(json.election_uuid === election.uuid && json.election_hash === election.fingerprint, "a ballot was made for another election, or for other questions");
  const credential = key(json.credential, decode);
  let at = 0;
  const answers = list(json.answers, (one) => answer(one, election.questions[at++], decode), election.questions.length);
  return { credential, credentialText: json.credential, answers, signature: { hash: json.signature.hash, proof: proof(json.signature.proof) } };
}

/** Check a parsed ballot's signature and proofs. Throws MalformedError. */
export function checkBallot(text, ballot, { publicKey: y, fingerprint, questions }) {
  const unsigned = `${text.slice(0, text.lastIndexOf(',"signature":'))}}`;
  const { hash, proof: signature } = ballot.signature;
  check(hash === compactHash(unsigned), "the signature is of another ballot");
  check(exponentHolds(`sig|${hash}`, ballot.credential, signature), "a ballot's signature does not hold");
  const context = `${fingerprint}|${ballot.credentialText}`;
  questions.forEach((question, at) => {
    const holds = question.type === "NonHomomorphic" ? rankedHolds : homomorphicHolds;
    check(holds(y, question, context, ballot.answers[at]), `a ballot's proofs do not hold (question ${at + 1})`);
  });
}

function rankedHolds(y, question, context, { choices: { alpha, text }, proof: known }) {
  return exponentHolds(`raweg|${context}|${pointText(y)},${text.alpha},${text.beta}`, alpha, known);
}

function homomorphicHolds(y, { min, max, blank }, context, { choices, individual, overall, blank: blankProof }) {
  const pair = ({ text }) => `${text.alpha},${text.beta}`;
  const each = choices.every((one, i) => disjunctionHolds(`prove|${context}|${pair(one)}`, y, [minus(one, 0), minus(one, 1)], individual[i]));
  if (!each) return false;
  const full = `${context}|${choices.map(pair).join(",")}`;
  const [zero, ...others] = blank ? choices : [null, ...choices];
  const sum = {
    alpha: others.reduce((total, { alpha }) => total.add(alpha), ONE),
    beta: others.reduce((total, { beta }) => total.add(beta), ONE),
  };
  const values = Array.from({ length: max - min + 1 }, (_, i) => minus(sum, min + i));
  if (!blank) {
    return disjunctionHolds(`prove|${full}|${pointText(sum.alpha)},${pointText(sum.beta)}`, y, values, overall);
  }
  return (
    disjunctionHolds(`bproof1|${full}`, y, [minus(zero, 1), ...values], overall) &&
    disjunctionHolds(`bproof0|${full}`, y, [minus(zero, 0), minus(sum, 0)], blankProof)
  );
}
