// Partial decryptions (v1 4.20) and companion proofs (ballot/protocol/companion.py), made and checked.

import { G, modQ, pointText, power, prepare } from "../booth/group.js";
import { hashToScalar, sha256Hex } from "../booth/hash.js";
import { check, proofJson, write } from "./messages.js";
import { jointPower, normalised, publicPower } from "./points.js";
import { VerificationError } from "./errors.js";

const TAG = "ballot-companion-decryption:1";

const companionStatement = (fingerprint, owner, question, index, keyText, { alpha }, factorText) =>
  `${TAG}|${fingerprint}|${owner}|${question}|${index}|${keyText}|${alpha}|${factorText}`;

const sameShape = (rows, others) => rows.length === others.length && rows.every((row, i) => row.length === others[i].length);

function* places(rows) {
  for (const [question, row] of rows.entries()) for (const [index, one] of row.entries()) yield [question, index, one];
}

/** For each ciphertext: its w is drawn first for all of them, as the Python does, then the proofs are made. */
function proveAll(rows, privateKey, statementOf, rng, progress) {
  const drawn = rows.map((row) => row.map(() => rng.scalar()));
  return rows.map((row, question) =>
    row.map(({ alpha }, index) => {
      const w = drawn[question][index];
      const commitments = [power(G, w), power(alpha, w)].map(pointText).join(",");
      const challenge = hashToScalar(`${statementOf(question, index)}|${commitments}`);
      progress(1);
      return proofJson({ challenge, response: modQ(w - privateKey * challenge) });
    }),
  );
}

export const workOfDecryption = (rows) => 3 * rows.reduce((total, row) => total + row.length, 0);

/** One key-holder's share of opening `rows`: { decryption, companion }, both as text. */
export function openShare(election, rows, privateKey, owner, rng, progress = () => {}) {
  const decryption = genPartialDecryption(election.fingerprint, rows, privateKey, rng, progress);
  const { decryption_factors: factors } = decryption;
  const text = write(decryption);
  return { decryption: text, companion: genCompanion(election, rows, privateKey, factors, text, owner, rng, progress) };
}

export function genPartialDecryption(fingerprint, rows, privateKey, rng, progress = () => {}) {
  const statement = `decrypt|${fingerprint}|${pointText(power(G, privateKey))}`;
  const proofs = proveAll(rows, privateKey, () => statement, rng, progress);
  const factors = rows.map((row) =>
    row.map(({ alpha }) => {
      progress(1);
      return pointText(power(alpha, privateKey));
    }),
  );
  return { decryption_factors: factors, decryption_proofs: proofs };
}

export function genCompanion(election, rows, privateKey, factors, decryptionText, owner, rng, progress = () => {}) {
  const keyText = pointText(power(G, privateKey));
  const proofs = proveAll(
    rows,
    privateKey,
    (question, index) => companionStatement(election.fingerprint, owner, question, index, keyText, rows[question][index].text, factors[question][index]),
    rng,
    progress,
  );
  return write({
    version: 1,
    election: election.uuid,
    fingerprint: election.fingerprint,
    owner,
    partial_decryption: sha256Hex(decryptionText),
    proofs,
  });
}

const WORTH_A_TABLE = 30; // powers of one key

/** A key-holder's key, whose powers are cheap where there are many ciphertexts. */
const ready = (publicKey, rows) => (rows.reduce((total, row) => total + row.length, 0) > WORTH_A_TABLE ? prepare(publicKey) : publicKey);

function proofHolds(statement, publicKey, alpha, factor, { challenge, response }) {
  const commitments = [
    publicPower(G, response).add(publicPower(publicKey, challenge)),
    jointPower([alpha, factor], [response, challenge]),
  ];
  return hashToScalar(`${statement}|${normalised(commitments).map(pointText).join(",")}`) === challenge;
}

/** Check a parsed share against the key published at set-up, as far as v1's proofs can tell. */
export function checkPartialDecryption(fingerprint, rows, publicKey, share, owner, progress = () => {}) {
  check(sameShape(rows, share.factors) && sameShape(rows, share.proofs), "a partial decryption does not have the shape of the encrypted tally");
  const statement = `decrypt|${fingerprint}|${pointText(publicKey)}`;
  const key = ready(publicKey, rows);
  for (const [question, index, { alpha }] of places(rows)) {
    progress(1);
    if (!proofHolds(statement, key, alpha, share.factors[question][index], share.proofs[question][index])) {
      throw new VerificationError(`a decryption proof of key-holder ${owner} does not hold (question ${question + 1}, ciphertext ${index + 1})`, `trustee ${owner}`);
    }
  }
}

/** Check parsed companion proofs of a share whose text has this hash. */
export function checkCompanion(election, rows, publicKey, share, shareHash, companion, owner, progress = () => {}) {
  check(sameShape(rows, share.factors), "a partial decryption does not have the shape of the encrypted tally");
  check(companion.election === election.uuid && companion.fingerprint === election.fingerprint, "companion proofs belong to another election");
  check(companion.owner === owner && companion.partial_decryption === shareHash, "companion proofs belong to another partial decryption");
  check(sameShape(rows, companion.proofs), "companion proofs do not have the shape of the encrypted tally");
  const keyText = pointText(publicKey);
  const key = ready(publicKey, rows);
  for (const [question, index, { alpha, text }] of places(rows)) {
    progress(1);
    const statement = companionStatement(election.fingerprint, owner, question, index, keyText, text, share.factorTexts[question][index]);
    if (!proofHolds(statement, key, alpha, share.factors[question][index], companion.proofs[question][index])) {
      throw new VerificationError(`a companion proof of key-holder ${owner} does not hold (question ${question + 1}, ciphertext ${index + 1})`, `trustee ${owner}`);
    }
  }
}
