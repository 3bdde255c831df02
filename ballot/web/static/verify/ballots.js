// Checking a cast ballot (v1 4.11 to 4.17): its shape, its signature, and the proof that each answer is a permitted one.
// The checks, their order and their words are those of ballot/protocol/ballots.py.

import { G, modQ, ONE, pointText } from "../booth/group.js";
import { compactHash, hashToScalar } from "../booth/hash.js";
import { InvalidBallotError, InvalidProofError } from "./errors.js";
import { jointPower, normalised, publicPower } from "./points.js";
import { exponentHolds } from "./proving.js";

const small = [ONE];

function smallPower(m) {
  for (let i = small.length; i <= m; i += 1) small.push(small[i - 1].add(G));
  return small[m];
}

/** The same pair with g^m divided out: it encrypts 0 exactly when the pair encrypts m. */
const minus = ({ alpha, beta }, m) => ({ alpha, beta: m === 0 ? beta : beta.subtract(smallPower(m)) });

function checkDisjunction(statement, y, branches, proofs) {
  if (branches.length !== proofs.length) throw new InvalidProofError(`a proof has ${proofs.length} parts where ${branches.length} are due`);
  const commitments = branches.flatMap(({ alpha, beta }, i) => {
    const { challenge, response } = proofs[i];
    return [
      publicPower(G, response).add(jointPower([alpha], [challenge])),
      publicPower(y, response).add(jointPower([beta], [challenge])),
    ];
  });
  const total = proofs.reduce((sum, { challenge }) => modQ(sum + challenge), 0n);
  if (hashToScalar(`${statement}|${normalised(commitments).map(pointText).join(",")}`) !== total) {
    throw new InvalidProofError("the proof of a permitted value does not hold");
  }
}

/** Run a check, and put words before those of what it throws. */
function saying(words, check) {
  try {
    check();
  } catch (error) {
    if (error instanceof InvalidProofError) throw new InvalidProofError(`${words}: ${error.message}`);
    if (error instanceof InvalidBallotError) throw new InvalidBallotError(`${words}: ${error.message}`);
    throw error;
  }
}

/** Check a parsed ballot of this election. Throws InvalidBallotError for its shape, InvalidProofError for its proofs. */
export function checkBallot(source, ballot, { publicKey: y, fingerprint, questions }) {
  const { answers, credential, credentialText, signature } = ballot;
  if (answers.length !== questions.length) throw new InvalidBallotError(`${answers.length} answers to ${questions.length} questions`);
  const unsigned = `${source.slice(0, source.lastIndexOf(',"signature":'))}}`;
  if (signature.hash !== compactHash(unsigned)) throw new InvalidBallotError("the signature is of another ballot");
  if (!exponentHolds(`sig|${signature.hash}`, credential, signature.proof)) throw new InvalidProofError("the signature does not hold");
  const context = `${fingerprint}|${credentialText}`;
  questions.forEach((question, at) => {
    saying(`question ${at + 1}`, () => {
      if (question.type !== answers[at].type) throw new InvalidBallotError("the answer is not of the question's kind");
      (question.type === "NonHomomorphic" ? checkRanked : checkHomomorphic)(y, question, context, answers[at]);
    });
  });
}

function checkRanked(y, question, context, { choices: { alpha, text }, proof }) {
  if (!exponentHolds(`raweg|${context}|${pointText(y)},${text.alpha},${text.beta}`, alpha, proof)) {
    throw new InvalidProofError("the proof of knowledge does not hold");
  }
}

function checkHomomorphic(y, { length, min, max, blank }, context, answer) {
  const { choices, individual_proofs: individual, overall_proof: overall, blank_proof: blankProof = null } = answer;
  if (choices.length !== length || individual.length !== length) {
    throw new InvalidBallotError(`${choices.length} choices and ${individual.length} proofs of them, not ${length}`);
  }
  if ((blankProof !== null) !== blank) throw new InvalidBallotError(`the proof about a blank vote is ${blank ? "missing" : "out of place"}`);
  const pair = ({ text }) => `${text.alpha},${text.beta}`;
  choices.forEach((one, i) => {
    saying(`choice ${i + 1} is not proven to be 0 or 1`, () => {
      checkDisjunction(`prove|${context}|${pair(one)}`, y, [minus(one, 0), minus(one, 1)], individual[i]);
    });
  });
  const full = `${context}|${choices.map(pair).join(",")}`;
  const [zero, ...others] = blank ? choices : [null, ...choices];
  const sum = {
    alpha: others.reduce((total, { alpha }) => total.add(alpha), ONE),
    beta: others.reduce((total, { beta }) => total.add(beta), ONE),
  };
  const values = Array.from({ length: max - min + 1 }, (_, i) => minus(sum, min + i));
  saying("the number of choices is not proven to be permitted", () => {
    if (blank) {
      checkDisjunction(`bproof1|${full}`, y, [minus(zero, 1), ...values], overall);
      checkDisjunction(`bproof0|${full}`, y, [minus(zero, 0), minus(sum, 0)], blankProof);
    } else {
      checkDisjunction(`prove|${full}|${pointText(sum.alpha)},${pointText(sum.beta)}`, y, values, overall);
    }
  });
}
