// The election as served: exact text in, checked questions out. The group is looked at before anything else.

import { MalformedError, parseCanonicalJson } from "./bytes.js";
import { parseUuid } from "./credentials.js";
import { GROUP_NAME, MAX_INTS, ONE, parsePoint, prepare } from "./group.js";
import { compactHash } from "./hash.js";

const REQUIRED = ["version", "description", "name", "group", "public_key", "questions", "uuid"];
const DECLARATIONS = "ballot-declarations:1 ";
const OPTIONAL = ["administrator", "credential_authority"];

function check(condition, message) {
  if (!condition) throw new MalformedError(message);
}

const isText = (value) => typeof value === "string";
const isObject = (value) => typeof value === "object" && value !== null && !Array.isArray(value);
const keysAre = (value, ...keys) => isObject(value) && Object.keys(value).join() === keys.join();
const areTexts = (value) => Array.isArray(value) && value.length > 0 && value.every(isText);

function parseHomomorphic(json) {
  check(
    keysAre(json, "answers", "blank", "min", "max", "question") || keysAre(json, "answers", "min", "max", "question"),
    "a question has the wrong fields",
  );
  const { answers, blank = false, min, max, question } = json;
  check(areTexts(answers) && isText(question) && typeof blank === "boolean", "a question is not well formed");
  check(
    Number.isInteger(min) && Number.isInteger(max) && 0 <= min && min <= max && max <= answers.length,
    "a question's limits make no sense",
  );
  return { type: "Homomorphic", answers, blank, min, max, question };
}

function parseRanked(json) {
  check(keysAre(json, "type", "value") || keysAre(json, "type", "value", "extra"), "a question has the wrong fields");
  check(json.type === "NonHomomorphic", "this type of question is not supported");
  check(keysAre(json.value, "answers", "question"), "a question has the wrong fields");
  const { answers, question } = json.value;
  check(areTexts(answers) && isText(question), "a question is not well formed");
  check(answers.length <= MAX_INTS, "too many choices to rank");
  return { type: "NonHomomorphic", answers, question };
}

/**
 * The description for people, and the counting rules that its last line declares (ballot/protocol/declarations.py); the
 * booth reads from them only whether the last choice is "Re-open nominations", to keep it last in the list.
 */
export function splitDescription(description) {
  const at = description.lastIndexOf("\n") + 1;
  const line = description.slice(at);
  if (!line.startsWith(DECLARATIONS)) return { text: description, rules: [] };
  const { rules } = parseCanonicalJson(line.slice(DECLARATIONS.length));
  check(Array.isArray(rules) && rules.every(isObject), "the declarations are not well formed");
  return { text: description.slice(0, at).trim(), rules };
}

/**
 * Parse and check an election from the exact text at /api/elections/<uuid>/election.
 * Throws MalformedError, also when it is another election than the one asked for.
 */
export function parseElection(text, uuid) {
  const json = parseCanonicalJson(text);
  check(isObject(json), "not an election");
  check(json.group === GROUP_NAME, "this group is not supported");
  check(json.version === 1, "this version of the protocol is not supported");
  const keys = Object.keys(json);
  const expected = [...REQUIRED, ...OPTIONAL].filter((key) => keys.includes(key));
  check(expected.join() === keys.join() && REQUIRED.every((key) => keys.includes(key)), "wrong fields");
  check(isText(json.description) && isText(json.name), "an election is not well formed");
  check(parseUuid(json.uuid) === uuid, "this is another election");
  const publicKey = parsePoint(json.public_key);
  check(!publicKey.equals(ONE), "the election's key is the neutral element");
  check(Array.isArray(json.questions) && json.questions.length > 0, "an election has questions");
  const questions = json.questions.map((question) =>
    isObject(question) && "type" in question ? parseRanked(question) : parseHomomorphic(question),
  );
  const { text: description, rules } = splitDescription(json.description);
  return {
    uuid,
    description,
    rules,
    publicKey: prepare(publicKey),
    questions,
    fingerprint: compactHash(text),
  };
}
