// What the vectors do not reach: the booth's own rules, and what it refuses.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import { BLANK, emptyAnswer, partsOf, problems, toIntegers } from "../../ballot/web/static/booth/answers.js";
import { checkAnswer, encryptBallot } from "../../ballot/web/static/booth/ballot.js";
import { canonicalJson, fromBase64, parseCanonicalJson, toBase64 } from "../../ballot/web/static/booth/bytes.js";
import { parseElection } from "../../ballot/web/static/booth/election.js";
import { parseHalf, parseLink } from "../../ballot/web/static/booth/link.js";
import { shuffledOrder } from "../../ballot/web/static/booth/order.js";
import { BrowserRng } from "../../ballot/web/static/booth/random.js";
import { choose, fromTyped, move, remove, toRanks, toTyped } from "../../ballot/web/static/booth/ranking.js";
import { SeededRng } from "./seeded.js";

const CODE = "6qFJz-cVXc1m-UdBcp-YnEgk2";
const UUID = "11VectorsABCDE";
const MOTION = { answers: ["For", "Against"], blank: true, min: 1, max: 1, question: "Motion" };
const RANKED = { type: "NonHomomorphic", value: { answers: ["Ann", "Bob", "Cyd"], question: "Order" } };
const election = (changes = {}, questions = [MOTION]) => ({
  version: 1,
  description: "",
  name: "A meeting",
  group: "Ed25519",
  public_key: "09eee47a2a951ab6607f9c8ef2a736a76d7caeb94db6e3b244ae7cd6b36437ec",
  questions,
  uuid: UUID,
  ...changes,
});
const parsed = (...given) => parseElection(canonicalJson(election(...given)), UUID);
const refused = (text) => assert.throws(() => parseElection(text, UUID), { name: "MalformedError" });

test("an election in its one form is read, with its fingerprint", () => {
  assert.equal(parsed().questions[0].type, "Homomorphic");
  assert.equal(parsed({}, [RANKED]).questions[0].type, "NonHomomorphic");
  assert.equal(parsed().fingerprint.length, 43);
});

test("the declarations are cut from the description, and their rules are read", () => {
  const declared = `For people.\n\nballot-declarations:1 ${canonicalJson({ companion: true, rules: [{ rule: "motion" }] })}`;
  const { description, rules } = parsed({ description: declared });
  assert.deepEqual({ description: "For people.", rules: [{ rule: "motion" }] }, { description, rules });
});

test("another spelling of the same election is refused", () => {
  const text = canonicalJson(election());
  for (const bent of [` ${text}`, `${text}\n`, text.replace('"version":1', '"version": 1'), text.replace('"version":1', '"version":1.0'), text.replace("A meeting", "\\u0041 meeting")]) refused(bent);
});

test("a key twice, one missing or one unknown is refused", () => {
  const text = canonicalJson(election());
  refused(text.replace('"version":1,', '"version":1,"version":1,'));
  refused(text.replace('"version":1,', ""));
  refused(text.replace('"version":1,', '"version":1,"weights":true,'));
});

test("another group, version, uuid or type of question is refused before anything else is read", () => {
  refused(canonicalJson(election({ group: "BELENIOS-2048" })));
  refused(canonicalJson(election({ version: 2 })));
  refused(canonicalJson(election({ uuid: "22VectorsABCDE" })));
  refused(canonicalJson(election({}, [{ type: "Lists", value: { answers: [["L", "A"]], question: "?" } }])));
  refused(canonicalJson(election({}, [{ ...RANKED, value: { ...RANKED.value, answers: Array.from({ length: 31 }, (_, at) => `C${at}`) } }])));
});

test("no small-order point, in any encoding, is taken as the election's key; nor the neutral element", () => {
  const { failing } = JSON.parse(readFileSync(new URL("../vectors/group.json", import.meta.url), "utf8"));
  const points = failing.filter(({ input: { operation } }) => operation === "point").map(({ input: { text } }) => text);
  assert.ok(points.length >= 20);
  for (const text of [...points, `${"0".repeat(63)}1`]) refused(canonicalJson(election({ public_key: text })));
});

test("strings are escaped as the reference tool escapes them", () => {
  assert.equal(canonicalJson('\u0000\u001f\b\t\n\f\r"\\/\u007f\u0080é€😀'), '"\\u0000\\u001f\\b\\t\\n\\f\\r\\"\\\\/\\u007f\u0080é€😀"');
  assert.throws(() => parseCanonicalJson('"\u007f"'), { name: "MalformedError" });
});

test("Base64 is accepted in one form only", () => {
  assert.deepEqual(fromBase64(toBase64(Uint8Array.of(1, 2, 3, 4))), Uint8Array.of(1, 2, 3, 4));
  for (const text of ["AQIDBA==", "AQIDBB", "AQ-D", "A"]) assert.throws(() => fromBase64(text), { name: "MalformedError" });
});

test("an answer that the question does not allow is never sealed", () => {
  const motion = parsed().questions[0];
  const ranked = parsed({}, [RANKED]).questions[0];
  for (const answer of [[0, 0, 0], [0, 1, 1], [1, 1, 0], [0, 2, 0], [0, 1], [0, -1, 2]]) {
    assert.throws(() => checkAnswer(motion, answer), RangeError);
  }
  for (const answer of [[1, 1, 2], [1, 3, 0], [2, 0, 0], [1, 2], [1, 2, 3, 4], [-1, 0, 0], [0.5, 0, 0]]) {
    assert.throws(() => checkAnswer(ranked, answer), RangeError);
  }
  for (const answer of [[0, 0, 0], [1, 0, 0], [3, 1, 2]]) checkAnswer(ranked, answer);
  assert.throws(() => encryptBallot(parsed(), CODE, [], new SeededRng("x")), RangeError);
});

test("every choice gives a ballot of the same lengths, number by number", () => {
  const shape = (answer) => canonicalJson(JSON.parse(encryptBallot(parsed(), CODE, [answer], new SeededRng("shape")).ballot)).replace(/"\d+"/g, '"n"').replace(/[0-9a-f]{64}/g, "p").replace(/"hash":"[^"]+"/, "h");
  assert.equal(1, new Set([[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(shape)).size);
});

test("the length of a sealed ballot tells nothing about the choice", () => {
  // Lengths differ because decimal numbers do; their distribution is the same whatever was chosen. Seeded, so never a fluke.
  const casts = Number(process.env.BALLOT_LENGTH_CASTS ?? 40);
  const lengths = (answer) =>
    Array.from({ length: casts }, (_, at) => encryptBallot(parsed(), CODE, [answer], new SeededRng(`${answer} ${at}`)).ballot.length);
  const mean = (numbers) => numbers.reduce((sum, number) => sum + number, 0) / numbers.length;
  const spread = (numbers) => mean(numbers.map((number) => (number - mean(numbers)) ** 2));
  const samples = [[1, 0, 0], [0, 1, 0], [0, 0, 1]].map(lengths);
  for (const [one, other] of [[0, 1], [0, 2], [1, 2]].map((pair) => pair.map((at) => samples[at]))) {
    const error = Math.sqrt((spread(one) + spread(other)) / casts);
    assert.ok(Math.abs(mean(one) - mean(other)) < 4 * error, `${mean(one)} and ${mean(other)}, standard error ${error}`);
  }
});

test("without good randomness nothing is sealed", () => {
  const failing = [
    { getRandomValues() { throw new Error("no entropy"); } },
    { getRandomValues: (bytes) => bytes },
    { getRandomValues: (bytes) => bytes.fill(7) },
    {},
  ];
  for (const crypto of failing) {
    assert.throws(() => encryptBallot(parsed(), CODE, [[0, 1, 0]], new BrowserRng(crypto)), { name: "RandomnessError" });
  }
});

test("two ballots of one member differ everywhere but in who and what they are for", () => {
  const [one, two] = [1, 2].map(() => JSON.parse(encryptBallot(parsed(), CODE, [[0, 1, 0]], new BrowserRng()).ballot));
  assert.equal(one.credential, two.credential);
  assert.notEqual(one.answers[0].choices[0].alpha, two.answers[0].choices[0].alpha);
  assert.notEqual(one.signature.proof.challenge, two.signature.proof.challenge);
});

test("a link gives token, code and meeting; a cut one gives nothing", () => {
  const payload = Buffer.from(JSON.stringify(["meeting1", "handle", 0, 1])).toString("base64url");
  const whole = `#${payload}.c2lnbmF0dXJl.${CODE}`;
  assert.deepEqual(parseLink(whole), { token: `${payload}.c2lnbmF0dXJl`, code: CODE, meeting: "meeting1" });
  assert.equal(parseHalf(`#${payload}.c2lnbmF0dXJl`), `${payload}.c2lnbmF0dXJl`);
  for (const none of ["", "#", "#main", `#${CODE}`, whole, `#${payload}`, "#x.y"]) assert.equal(parseHalf(none), null);
  for (const cut of ["", "#", whole.slice(0, -1), whole.slice(0, -30), `#${CODE}`, `#x.y.${CODE}`, "#%", "#main"]) assert.equal(parseLink(cut), null);
});

test("the listing order is a permutation, the same for one code, another for another code, and keeps what stays last", () => {
  const order = shuffledOrder(UUID, CODE, 0, 12);
  assert.deepEqual([...order].sort((a, b) => a - b), Array.from({ length: 12 }, (_, at) => at));
  assert.deepEqual(shuffledOrder(UUID, CODE, 0, 12), order);
  assert.notDeepEqual(shuffledOrder(UUID, CODE.replace("6", "7"), 0, 12), order);
  assert.notDeepEqual(shuffledOrder(UUID, CODE, 1, 12), order);
  for (const question of [0, 1, 2, 3]) assert.equal(shuffledOrder(UUID, CODE, question, 12, true).at(-1), 11);
});

test("a ranking stays valid through every act", () => {
  let ranking = [2, 0, 1].reduce(choose, []);
  assert.deepEqual(choose(ranking, 2), ranking);
  assert.deepEqual(move(ranking, 1, -1), [2, 1, 0]);
  assert.deepEqual(move(ranking, 2, -1), ranking);
  assert.deepEqual(move(ranking, 1, 1), ranking);
  ranking = remove(ranking, 0);
  assert.deepEqual(toRanks(ranking, 4), [0, 2, 1, 0]);
  assert.deepEqual(fromTyped(toTyped(ranking, 4)), { ranking, problems: [] });
});

test("typed numbers say what is wrong with them, by field", () => {
  const kinds = (...typed) => fromTyped(typed).problems.map(({ kind, choice }) => [kind, choice]);
  assert.deepEqual(kinds("1", "1", ""), [["twice", 1]]);
  assert.deepEqual(kinds("1", "3", ""), [["gap", 1]]);
  assert.deepEqual(kinds("x", "0", "4"), [["range", 0], ["range", 1], ["range", 2]]);
  assert.deepEqual(kinds(" 1 ", "2", ""), []);
});

test("answers on the screen become the protocol's integers, once nothing is wrong with them", () => {
  const [motion, upTo2, ranked] = parsed({}, [MOTION, { answers: ["A", "B", "C"], min: 0, max: 2, question: "?" }, RANKED]).questions;
  assert.deepEqual(problems(motion, emptyAnswer(motion)), [{ kind: "none" }]);
  assert.deepEqual(toIntegers(motion, { choice: 1 }), [0, 0, 1]);
  assert.deepEqual(toIntegers(motion, { choice: BLANK }), [1, 0, 0]);
  assert.deepEqual(toIntegers(upTo2, { chosen: [2, 0], blank: false }), [1, 0, 1]);
  assert.deepEqual(toIntegers(upTo2, { chosen: [], blank: true }), [0, 0, 0]);
  assert.throws(() => toIntegers(upTo2, { chosen: [0, 1, 2], blank: false }), RangeError);
  assert.throws(() => toIntegers(upTo2, { chosen: [0], blank: true }), RangeError);
  assert.deepEqual(toIntegers(ranked, { ranking: [2, 0], blank: false, typed: null }), [2, 0, 1]);
  assert.deepEqual(toIntegers(ranked, { ranking: [], blank: false, typed: ["2", "1", ""] }), [2, 1, 0]);
  assert.deepEqual(toIntegers(ranked, { ranking: [], blank: true, typed: null }), [0, 0, 0]);
  assert.throws(() => toIntegers(ranked, { ranking: [], blank: false, typed: null }), RangeError);
});

test("a question's text is parted into title, text and statements", () => {
  const parts = partsOf({ question: "Secretary\nTwo stand.\nAnn: Hello.\nBob: I am: Bob.", answers: ["Ann", "Bob", "Cyd"] });
  assert.deepEqual(parts, { title: "Secretary", text: "Two stand.", statements: ["Hello.\n", "I am: Bob.\n", ""] });
});
