// The messages of v1 (section 4), read strictly from the texts of an archive: the fields of ballot/protocol/messages.py, in its
// order and with its words. What comes out is plain objects that hold points and numbers.

import { MalformedError } from "../booth/bytes.js";
import { GROUP_NAME, MAX_INTS, ONE, parsePoint, prepare, Q } from "../booth/group.js";
import { compactHash } from "../booth/hash.js";
import { dumps, loads } from "./json.js";

const HASH = /^[0-9a-f]{64}$/;
const UUID = /^[1-9A-HJ-NP-Za-km-z]{14,64}$/;
const SCALAR = /^(?:0|[1-9][0-9]{0,76})$/;
const EVENT_TYPES = ["Setup", "Ballot", "EndBallots", "EncryptedTally", "Shuffle", "EndShuffles", "PartialDecryption", "Result"];

const malformed = (message) => new MalformedError(message);
const shown = (value) => dumps(value).slice(0, 40);

// --- codecs: how one JSON value becomes a checked one

function typed(type, name) {
  return (value) => {
    if (typeof value !== type) throw malformed(`expected ${name}, found ${shown(value)}`);
    return value;
  };
}

function matching(pattern, name) {
  return (value) => {
    if (typeof value !== "string" || !pattern.test(value)) throw malformed(`expected ${name}, found ${shown(value)}`);
    return value;
  };
}

export const text = typed("string", "a string");
export const flag = typed("boolean", "true or false");
export const integer = typed("number", "an integer");
export const hash = matching(HASH, "a hash of 64 lower-case hexadecimal digits");
export const uuid = matching(UUID, "an election identifier");

export function scalar(value) {
  if (typeof value !== "string" || !SCALAR.test(value)) throw malformed("a scalar must be a decimal number below the group order, in its shortest form");
  const number = BigInt(value);
  if (number >= Q) throw malformed("a scalar must be a decimal number below the group order, in its shortest form");
  return number;
}

/** A group element; the neutral one is one. Throws MalformedError. */
export function point(value) {
  if (typeof value !== "string" || !HASH.test(value)) throw malformed("a group element must be 64 lower-case hexadecimal digits");
  try {
    return parsePoint(value);
  } catch {
    throw malformed("not a canonical element of the prime-order group");
  }
}

export function array(item) {
  return (value) => {
    if (!Array.isArray(value)) throw malformed("expected an array");
    return value.map((one) => item(one));
  };
}

export function fixed(...items) {
  return (value) => {
    if (!Array.isArray(value) || value.length !== items.length) throw malformed(`expected an array of ${items.length} values`);
    return items.map((item, i) => item(value[i]));
  };
}

const notCanonical = (name) => malformed(`${name}: not in the one canonical form (spaces, key order or escapes differ)`);

/** An object with these fields; a name that ends in "?" may be absent. */
export function record(name, fields) {
  return (value) => {
    if (!(value instanceof Map)) throw malformed(`${name}: expected an object`);
    const found = Object.create(null);
    for (const [field, decode] of Object.entries(fields)) {
      const key = field.replace("?", "");
      if (value.has(key)) found[key] = decode(value.get(key));
      else if (key === field) throw malformed(`${name}: '${key}' is missing`);
    }
    const keys = [...value.keys()];
    const unknown = keys.find((key) => !(key in found));
    if (unknown !== undefined) throw malformed(`${name}: unknown key '${unknown.slice(0, 40)}'`);
    const order = Object.keys(found);
    if (keys.some((key, i) => key !== order[i])) throw notCanonical(name);
    return found;
  };
}

/** Read a text that must be exactly what the reference tool writes for its content. Throws MalformedError. */
export function parse(name, decode, source) {
  const json = loads(source);
  const value = decode(json);
  if (dumps(json) !== source) throw notCanonical(name);
  return value;
}

// --- messages; `decode` tells how points are read

export const proof = record("Proof", { challenge: scalar, response: scalar });

const keyOf = (decode) => (value) => {
  const found = decode(value);
  if (found.equals(ONE)) throw malformed("the neutral element cannot be a key, a credential or alpha");
  return found;
};

/** A ciphertext keeps its texts, which are hashed again and again. */
const ciphertextOf = (decode) => {
  const read = record("Ciphertext", { alpha: keyOf(decode), beta: decode });
  return (value) => {
    const found = read(value);
    return { ...found, text: { alpha: value.get("alpha"), beta: value.get("beta") } };
  };
};

function eventType(value) {
  if (!EVENT_TYPES.includes(value)) throw malformed(`unknown event type ${shown(value)}`);
  return value;
}

const EVENT = record("Event", { "parent?": hash, height: integer, type: eventType, "payload?": hash });
const OWNED = record("Owned", { owner: integer, payload: hash });
const SIZED = record("SizedEncryptedTally", { num_tallied: integer, total_weight: integer, encrypted_tally: hash });
const SETUP = record("SetupData", { election: hash, trustees: hash, credentials: hash });

export const readEvent = (source) => parse("Event", EVENT, source);
export const readOwned = (source) => parse("Owned", OWNED, source);
export const readSizedTally = (source) => parse("SizedEncryptedTally", SIZED, source);
export const readHeader = (source) => parse("Header", record("Header", { version: integer, timestamp: text }), source);

export function readSetup(source) {
  return parse(
    "SetupData",
    (value) => {
      if (value instanceof Map && value.has("credentials_certificate")) throw malformed("credential certificates are not supported");
      return SETUP(value);
    },
    source,
  );
}

export const readCredentials = (source) => parse("PublicCredentials", array(text), source);

// --- trustees

const SIGNED = record("SignedMsg", { message: text, signature: proof });
const PUBLIC_KEY = record("TrusteePublicKey", { pok: proof, public_key: keyOf(point), "signature?": proof, "name?": text });
const publicKey = (value) => {
  const { pok, public_key, signature = null, name = null } = PUBLIC_KEY(value);
  return { pok, publicKey: public_key, signature, name };
};
const THRESHOLD = record("ThresholdParameters", {
  threshold: integer,
  certs: array(SIGNED),
  coefexps: array(SIGNED),
  signatures: array(proof),
  verification_keys: array(publicKey),
});

function trustee(value) {
  if (Array.isArray(value) && value.length === 2) {
    if (value[0] === "Single") return { kind: "Single", key: publicKey(value[1]) };
    if (value[0] === "Pedersen") return { kind: "Pedersen", parameters: THRESHOLD(value[1]) };
  }
  throw malformed('trustees: expected ["Single", …] or ["Pedersen", …]');
}

export function readTrustees(source) {
  return parse(
    "Trustees",
    (value) => {
      if (!Array.isArray(value)) throw malformed("trustees: expected an array");
      return value.map(trustee);
    },
    source,
  );
}

// --- election

const HOMOMORPHIC = record("QuestionH", { answers: array(text), "blank?": flag, min: integer, max: integer, question: text });
const RANKED = record("QuestionNH", { answers: array(text), question: text });

function question(value) {
  if (!(value instanceof Map) || !value.has("type")) {
    const { blank = false, ...found } = HOMOMORPHIC(value);
    if (!(0 <= found.min && found.min <= found.max && found.max <= found.answers.length)) {
      throw malformed("a question's minimum and maximum do not fit its answers");
    }
    return { type: "Homomorphic", ...found, blank, length: found.answers.length + Number(blank) };
  }
  if (value.get("type") === "Lists") throw malformed("questions of type Lists are not supported");
  const keys = [...value.keys()];
  const known = keys.every((key) => ["type", "value", "extra"].includes(key)) && value.has("value");
  if (value.get("type") !== "NonHomomorphic" || !known) throw malformed("a question is of an unknown kind");
  if (keys.join() !== ["type", "value", "extra"].slice(0, keys.length).join()) throw notCanonical("Election");
  if (value.get("extra") === null) throw notCanonical("Election");
  const found = RANKED(value.get("value"));
  if (found.answers.length > MAX_INTS) throw malformed(`a ranked question has more than ${MAX_INTS} choices`);
  return { type: "NonHomomorphic", ...found };
}

const ELECTION = record("Election", {
  version: integer,
  description: text,
  name: text,
  group: text,
  public_key: keyOf(point),
  questions: array(question),
  uuid,
  "administrator?": text,
  "credential_authority?": text,
});

export function readElection(source) {
  return parse(
    "Election",
    (value) => {
      if (value instanceof Map) {
        // Version and group come first: everything else is read by their rules.
        if (value.get("version") !== 1) throw malformed("only version 1 of the protocol is supported");
        if (value.get("group") !== GROUP_NAME) throw malformed(`only the group ${GROUP_NAME} is supported`);
        if (value.has("language")) throw malformed("elections that name a language are not supported");
      }
      const { public_key, ...found } = ELECTION(value);
      return { ...found, publicKey: prepare(public_key), fingerprint: compactHash(source) };
    },
    source,
  );
}

const PREFIX = "ballot-declarations:";
const RULE = (value) => {
  if (!(value instanceof Map) || typeof value.get("rule") !== "string") throw malformed("declarations: each question's rule must be an object that names its rule");
  return value;
};
const ONLY_TRUE = (value) => {
  if (value !== true) throw malformed("declarations: an election that is not advisory does not mention it");
  return value;
};
const DECLARATIONS = record("Declarations", {
  companion: flag,
  minimum_ballots: integer,
  practice: flag,
  replace: flag,
  roll: text,
  rules: array(RULE),
  "advisory?": ONLY_TRUE,
});

/** What the election's own text declares (ballot/protocol/declarations.py), or null. */
export function declarationsOf(description) {
  const declares = (words) => words.split("\n").some((line) => line.startsWith(PREFIX));
  if (!declares(description)) return null;
  const at = description.lastIndexOf("\n");
  const line = description.slice(at + 1);
  let words = at < 0 ? "" : description.slice(0, at);
  if (words.endsWith("\n")) words = words.slice(0, -1);
  if (!line.startsWith(`${PREFIX}1 `)) throw malformed("the declarations must be the last line of the description, in version 1");
  const found = parse("Declarations", DECLARATIONS, line.slice(PREFIX.length + 2));
  if (declares(words)) throw malformed(`a description must not itself have a line that starts with ${PREFIX}`);
  if ((words === "" ? line : `${words}\n\n${line}`) !== description) throw malformed("the election's declarations must be the last line of its description, once");
  return found;
}

// --- ballots

const signature = record("Signature", { hash: text, proof });

function answerOf(decode) {
  const ciphertext = ciphertextOf(decode);
  const homomorphic = record("AnswerH", {
    choices: array(ciphertext),
    individual_proofs: array(array(proof)),
    overall_proof: array(proof),
    "blank_proof?": fixed(proof, proof),
  });
  const ranked = record("AnswerNH", { choices: ciphertext, proof });
  return (value) => {
    // An answer does not name its type: a ranked one has a single ciphertext where the other has an array.
    if (value instanceof Map && value.get("choices") instanceof Map) return { type: "NonHomomorphic", ...ranked(value) };
    return { type: "Homomorphic", ...homomorphic(value) };
  };
}

export function readBallot(source, decode = point) {
  const ballot = record("Ballot", { election_uuid: uuid, election_hash: text, credential: keyOf(decode), answers: array(answerOf(decode)), signature });
  return parse(
    "Ballot",
    (value) => {
      if (value instanceof Map && !value.has("signature")) throw malformed("Ballot: 'signature' is missing");
      return { ...ballot(value), credentialText: value.get("credential") };
    },
    source,
  );
}

// --- the tally

export const readTally = (source, decode = point) => parse("EncryptedTally", array(array(ciphertextOf(decode))), source);

function shuffleProof(decode) {
  const read = fixed(
    fixed(decode, decode, decode, fixed(decode, decode), array(decode)),
    fixed(scalar, scalar, scalar, scalar, array(scalar), array(scalar)),
    array(decode),
    array(decode),
  );
  return (value) => {
    const [t, s, c, cHat] = read(value);
    return { t, s, c, cHat, text: { t: value[0], c: value[2], cHat: value[3] } };
  };
}

export function readShuffle(source, decode = point) {
  return parse("Shuffle", record("Shuffle", { ciphertexts: array(array(ciphertextOf(decode))), proofs: array(shuffleProof(decode)) }), source);
}

export function readShare(source, decode = point) {
  const read = record("PartialDecryption", { decryption_factors: array(array(decode)), decryption_proofs: array(array(proof)) });
  return parse(
    "PartialDecryption",
    (value) => {
      const { decryption_factors: factors, decryption_proofs: proofs } = read(value);
      return { factors, proofs, factorTexts: value.get("decryption_factors") };
    },
    source,
  );
}

const COMPANION = record("Companion", {
  version: integer,
  election: uuid,
  fingerprint: text,
  owner: integer,
  partial_decryption: hash,
  proofs: array(array(proof)),
});

export function companion(value) {
  if (value instanceof Map && value.get("version") !== 1) throw malformed("only version 1 of the companion proofs is supported");
  return COMPANION(value);
}

export const readCompanion = (source) => parse("Companion", companion, source);

/** The companion file: the proofs of each key-holder who opened a share, by owner; each as its text. */
export function readCompanions(source) {
  const texts = new Map();
  parse(
    "CompanionFile",
    (value) => {
      const owners = array(companion)(value).map(({ owner }) => owner);
      if (owners.some((owner, i) => i > 0 && owner <= owners[i - 1])) throw malformed("companion proofs must stand in the order of their owners, each owner once");
      owners.forEach((owner, i) => texts.set(owner, dumps(value[i])));
    },
    source,
  );
  return texts;
}

const numbers = array(integer);

export function readResult(source) {
  const row = (value) => (Array.isArray(value) && Array.isArray(value[0]) ? array(numbers)(value) : numbers(value));
  return parse("Result", record("Result", { result: array(row) }), source).result;
}
