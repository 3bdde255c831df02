// The vectors that Python and JavaScript share: every operation that the booth has, on every case.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { checkAnswer, encryptBallot } from "../../ballot/web/static/booth/ballot.js";
import { normaliseCode, proveTypedCode, publicCredential, secretExponent } from "../../ballot/web/static/booth/credentials.js";
import { parseElection } from "../../ballot/web/static/booth/election.js";
import { G, ofInts, over, parsePoint, pointText, power, times } from "../../ballot/web/static/booth/group.js";
import { compactHash, hashToScalar } from "../../ballot/web/static/booth/hash.js";
import { iprove } from "../../ballot/web/static/booth/proofs.js";
import { SeededRng } from "./seeded.js";

const electionOf = (text) => parseElection(text, JSON.parse(text).uuid);
const proofJson = ({ challenge, response }) => ({ challenge, response });

const operations = {
  power: ({ base, exponent }) => pointText(power(parsePoint(base), BigInt(exponent))),
  times: ({ left, right }) => pointText(times(parsePoint(left), parsePoint(right))),
  over: ({ left, right }) => pointText(over(parsePoint(left), parsePoint(right))),
  point: ({ text }) => pointText(parsePoint(text)),
  hash_to_scalar: ({ text }) => String(hashToScalar(text)),
  of_ints: ({ values }) => pointText(ofInts(values)),
  seeded({ seed, count }) {
    const rng = new SeededRng(seed);
    return Array.from({ length: count }, () => String(rng.scalar()));
  },
  derive: ({ uuid, code }) => ({ secret: String(secretExponent(uuid, code)), public: publicCredential(uuid, code) }),
  public: ({ uuid, code }) => publicCredential(uuid, code),
  parse: ({ text }) => normaliseCode(text),
  iprove({ seed, S, key, values, index }) {
    const rng = new SeededRng(seed);
    const y = parsePoint(key);
    const r = rng.scalar();
    const ciphertext = { alpha: power(G, r), beta: times(power(y, r), power(G, BigInt(values[index]))) };
    const text = { alpha: pointText(ciphertext.alpha), beta: pointText(ciphertext.beta) };
    return { ciphertext: text, proofs: iprove(y, S, r, index, values, ciphertext, rng) };
  },
  prove_typed_code({ seed, uuid, nonce }) {
    const rng = new SeededRng(seed);
    const { credential, ...proof } = proveTypedCode(uuid, nonce, rng.scalar(), rng);
    return { credential, proof: proofJson(proof) };
  },
  create({ election, code, choices, seed }) {
    const sealed = encryptBallot(electionOf(election), code, choices, new SeededRng(seed));
    return { ...sealed, hash: JSON.parse(sealed.ballot).signature.hash };
  },
};

// Asked of the service, the key-holders or the verifier alone; the booth has no such code.
const NOT_HERE = new Set(["scalar", "get_generator", "derive_code", "prove_possession", "check", "check_iproof", "check_possession", "check_typed_code"]);

for (const file of ["group", "credentials", "proofs", "ballots", "belenios_tool"]) {
  const { valid, failing } = JSON.parse(readFileSync(new URL(`../vectors/${file}.json`, import.meta.url), "utf8"));
  for (const { name, input, expected } of valid) {
    if (NOT_HERE.has(input.operation)) continue;
    test(`${file}: ${input.operation}, ${name}`, () => {
      assert.deepEqual(operations[input.operation](input), expected);
    });
  }
  for (const { name, input, error } of failing) {
    if (NOT_HERE.has(input.operation)) continue;
    test(`${file}: ${input.operation}, ${name} is refused`, () => {
      // A bad answer is a bug of the page rather than bytes from outside, so its error has JavaScript's own name.
      const names = error === "MalformedError" && ["create", "of_ints"].includes(input.operation) ? ["MalformedError", "RangeError"] : [error];
      assert.throws(() => operations[input.operation](input), (thrown) => names.includes(thrown.name));
    });
  }
}

test("ballots made by belenios-tool have the trackers and elections that we compute", () => {
  const { valid } = JSON.parse(readFileSync(new URL("../vectors/belenios_tool.json", import.meta.url), "utf8"));
  for (const { input, expected } of valid.filter(({ input: { operation } }) => operation === "check")) {
    const election = electionOf(input.election);
    assert.equal(JSON.parse(input.ballot).election_hash, election.fingerprint);
    assert.equal(compactHash(input.ballot), expected.tracker);
    input.choices.forEach((answer, at) => checkAnswer(election.questions[at], answer));
  }
});
