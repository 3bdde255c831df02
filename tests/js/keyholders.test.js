// Key-holders' work in the browser: the vectors that Python made, key files of both, and faults that must be found.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { parseElection } from "../../ballot/web/static/booth/election.js";
import { G, modQ, ONE, parsePoint, pointText, power, Q } from "../../ballot/web/static/booth/group.js";
import { checkCompanion, checkPartialDecryption, genCompanion, genPartialDecryption } from "../../ballot/web/static/verify/decryption.js";
import { fileName, openKey, sealKey, whoseKey } from "../../ballot/web/static/trustee/keyfile.js";
import { publicKey, read, signedMsg, write } from "../../ballot/web/static/verify/messages.js";
import { jointPower, Membership, powerProduct } from "../../ballot/web/static/verify/points.js";
import { readCompanion, readShare, readShuffle, readTally } from "../../ballot/web/static/verify/reading.js";
import { checkShuffle, shuffleTally } from "../../ballot/web/static/verify/shuffle.js";
import {
  certificateText,
  checkCertificate,
  checkPublicKey,
  decryptMessage,
  encryptMessage,
  makeCertificate,
  makePublicKey,
  pkiKeys,
  publicKeyText,
} from "../../ballot/web/static/verify/trustees.js";
import { sha256Hex } from "../../ballot/web/static/booth/hash.js";
import { SeededRng } from "./seeded.js";

const electionOf = ({ election }) => parseElection(election, JSON.parse(election).uuid);
const tallyOf = ({ tally }) => readTally(tally);
const rankedOf = (given) => tallyOf(given).filter((_, i) => electionOf(given).questions[i].type === "NonHomomorphic");
const shareOf = ({ share }) => readShare(share);
const rngOf = ({ seed }) => new SeededRng(seed);

const operations = {
  make_public_key: (given) => publicKeyText(makePublicKey(BigInt(given.private_key), rngOf(given))),
  check_public_key: (given) => checkPublicKey(publicKey(read(given.public_key)), 1),
  pki({ secret_seed: seed }) {
    const { verification, encryption } = pkiKeys(seed);
    return { verification: pointText(verification), encryption: pointText(encryption) };
  },
  make_certificate: (given) => certificateText(makeCertificate(pkiKeys(given.secret_seed), given, rngOf(given))),
  check_certificate: (given) => checkCertificate(signedMsg(read(given.certificate)), given),
  seal: (given) => encryptMessage(parsePoint(given.recipient), given.text, rngOf(given)),
  open: ({ secret_seed: seed, sealed }) => decryptMessage(pkiKeys(seed).decryption, sealed),
  shuffle: (given) => shuffleTally(electionOf(given), rankedOf(given), rngOf(given), () => {}),
  check_shuffle(given) {
    const membership = new Membership();
    const parsed = readShuffle(given.shuffle, (text) => membership.decode(text));
    membership.check();
    checkShuffle(electionOf(given), rankedOf(given), parsed, 1, new SeededRng("weights"));
  },
  decrypt: (given) => write(genPartialDecryption(electionOf(given).fingerprint, tallyOf(given), BigInt(given.private_key), rngOf(given))),
  check_share: (given) => checkPartialDecryption(electionOf(given).fingerprint, tallyOf(given), parsePoint(given.public_key), shareOf(given), given.owner),
  companion: (given) =>
    genCompanion(electionOf(given), tallyOf(given), BigInt(given.private_key), shareOf(given).factorTexts, given.share, given.owner, rngOf(given)),
  check_companion(given) {
    const parsed = readCompanion(given.companion);
    checkCompanion(electionOf(given), tallyOf(given), parsePoint(given.public_key), shareOf(given), sha256Hex(given.share), parsed, given.owner);
  },
};

const ELSEWHERE = new Set(["lagrange", "result"]); // combining is the service's and the verifier's
const { valid, failing } = JSON.parse(readFileSync(new URL("../vectors/keyholders.json", import.meta.url), "utf8"));

for (const { name, input, expected } of valid) {
  if (ELSEWHERE.has(input.operation)) continue;
  test(`vectors: ${name}`, async () => {
    assert.deepEqual((await operations[input.operation](input)) ?? null, expected);
  });
}

for (const { name, input, error } of failing) {
  const expected = ["MalformedError", "NotSupportedError"].includes(error) ? "MalformedError" : "VerificationError";
  test(`vectors: ${name} is refused`, async () => {
    await assert.rejects(async () => operations[input.operation](input), { name: expected });
  });
}

const KEY = { election: "11VectorsABCDE", owner: 2, holder: "Zoë Ångström", kind: "threshold", seed: "1BaLLotVectorSeed11111", privateKey: 5n };
const PASSPHRASE = "correct horse battery";

test("a key file says whose it is, opens with its passphrase only, and refuses a changed byte", async () => {
  const file = await sealKey(KEY, PASSPHRASE, { n: 1 << 10 });
  assert.deepEqual(whoseKey(file), { election: KEY.election, owner: 2, holder: KEY.holder, kind: "threshold" });
  assert.deepEqual(await openKey(file, PASSPHRASE), KEY);
  assert.equal(fileName(KEY), "ballot-11VectorsABCDE-2-zoe-angstrom.key");
  await assert.rejects(openKey(file, `${PASSPHRASE}!`), { name: "WrongPassphraseError" });
  await assert.rejects(openKey(file.replace('"owner":"2"', '"owner":"3"'), PASSPHRASE), { name: "WrongPassphraseError" });
  await assert.rejects(openKey(file.replace('"kind"', '"mind"'), PASSPHRASE), { name: "MalformedError" });
  await assert.rejects(sealKey(KEY, "too short", { n: 1 << 10 }), { name: "RefusedError" });
});

test("a point outside the prime-order group is found among many, wherever it stands", () => {
  const stranger = parsePointUnchecked("ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f"); // (0, -1), of order 2
  for (const count of [3, 150]) {
    const texts = Array.from({ length: count }, (_, i) => pointText(power(G, BigInt(i + 1))));
    const good = new Membership();
    texts.forEach((text) => good.decode(text));
    good.check();
    const membership = new Membership();
    texts.forEach((text) => membership.decode(text));
    membership.decode(pointText(power(G, 7n).add(stranger)));
    assert.throws(() => membership.check(), { name: "MalformedError" });
  }
});

function parsePointUnchecked(littleEndian) {
  return G.constructor.fromBytes(Uint8Array.from(littleEndian.match(/../g), (pair) => parseInt(pair, 16)));
}

test("a product of powers is the product of the powers", () => {
  for (const n of [0, 1, 2, 9]) {
    const points = Array.from({ length: n }, (_, i) => power(G, BigInt(i + 2)));
    const exponents = points.map((_, i) => Q - BigInt(i * i));
    const expected = points.reduce((total, _, i) => modQ(total + BigInt(i + 2) * exponents[i]), 0n);
    const product = expected === 0n ? ONE : power(G, expected);
    assert.ok(powerProduct(points, exponents).equals(product));
    assert.ok(jointPower(points, exponents).equals(product));
  }
});
