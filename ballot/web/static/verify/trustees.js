// Key-holders' keys (v1 4.5, 4.6): single keys, and what each member of a threshold group does in the key ceremony.
//
// The names and the order in which random numbers are drawn are those of ballot/protocol/trustees.py.

import { sha256 } from "@noble/hashes/sha2.js";
import { fromHex, MalformedError, toHex, utf8 } from "../booth/bytes.js";
import { G, GROUP_NAME, modQ, over, parsePoint, pointText, power, times } from "../booth/group.js";
import { hashToScalar } from "../booth/hash.js";
import { check, hasKeys, isCount, isText, key, list, proofJson, read, scalar, signedMsg, signedMsgJson, vinput, write } from "./messages.js";
import { product, publicPower } from "./points.js";
import { VerificationError } from "./errors.js";
import { exponentHolds, proveExponent } from "./proving.js";

const BASE58 = "123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
const SEED = new RegExp(`^[${BASE58}]{22}$`);
const MAX_GROUP = 100;

const blaming = (holder) => `trustee ${holder}`;

// --- 4.5 single keys

const pokStatement = (text) => `pok|${GROUP_NAME}|${text}`;

export function makePublicKey(privateKey, rng) {
  const text = pointText(power(G, privateKey));
  return { pok: proveExponent(pokStatement(text), privateKey, rng), public_key: text };
}

export const publicKeyText = ({ pok, public_key, signature }) =>
  write({ pok: proofJson(pok), public_key, ...(signature ? { signature: proofJson(signature) } : {}) });

export function checkPublicKey(read_, owner) {
  if (!exponentHolds(pokStatement(pointText(read_.publicKey)), read_.publicKey, read_.pok)) {
    throw new VerificationError(`key-holder ${owner}'s proof of possession does not hold`, blaming(owner));
  }
}

/** What a proof of possession for a site is over: this election, this owner, and the site's nonce. */
export const possessionStatement = (uuid, owner, nonce) => `ballot-possession:1|${uuid}|${owner}|${nonce}`;

// --- 4.6.1 the ceremony's own signatures and encryption

export function pkiKeys(seed) {
  check(isText(seed) && SEED.test(seed), "a seed has 22 Base58 characters");
  const signing = hashToScalar(`sk|${seed}`);
  const decryption = hashToScalar(`dk|${seed}`);
  return { signing, decryption, verification: power(G, signing), encryption: power(G, decryption) };
}

/** A fresh seed. 58 divides no power of two: the bias of 512 bits mod 58 is below 2^-500. */
export function genSeed(rng) {
  return Array.from({ length: 22 }, () => BASE58[Number(rng.below(58n))]).join("");
}

const signatureStatement = (text) => `sigmsg|${text}`;
const sign = (signing, text, rng) => proveExponent(signatureStatement(text), signing, rng);
const signed = (signing, text, rng) => ({ message: text, signature: sign(signing, text, rng) });

function checkSignature(verification, text, signature, holder, what) {
  if (!exponentHolds(signatureStatement(text), verification, signature)) {
    throw new VerificationError(`key-holder ${holder}'s signature of ${what} does not hold`, blaming(holder));
  }
}

async function symmetric(shared, alpha, use) {
  const secret = sha256(utf8(`key|${pointText(shared)}`));
  const iv = sha256(utf8(`iv|${pointText(alpha)}`));
  return { aes: await crypto.subtle.importKey("raw", secret, "AES-GCM", false, [use]), iv };
}

/** Seal a text to an encryption key; a serialized `encrypted_msg`. */
export async function encryptMessage(encryption, text, rng) {
  const r = rng.scalar();
  const s = rng.scalar();
  const alpha = power(G, r);
  const shared = power(G, s);
  const { aes, iv } = await symmetric(shared, alpha, "encrypt");
  const data = toHex(new Uint8Array(await crypto.subtle.encrypt({ name: "AES-GCM", iv }, aes, utf8(text))));
  return write({ algorithm: "AES-GCM", alpha: pointText(alpha), beta: pointText(times(power(encryption, r), shared)), data });
}

/** Open what `encryptMessage` sealed. Throws MalformedError if it is not sealed to this key, or was changed. */
export async function decryptMessage(decryption, sealed) {
  const message = read(sealed);
  check(
    hasKeys(message, "algorithm", "alpha", "beta", "data") && message.algorithm === "AES-GCM" && isText(message.data),
    "a sealed message is not of the kind that this page opens",
  );
  const alpha = parsePoint(message.alpha);
  const { aes, iv } = await symmetric(over(parsePoint(message.beta), power(alpha, decryption)), alpha, "decrypt");
  try {
    const text = await crypto.subtle.decrypt({ name: "AES-GCM", iv }, aes, fromHex(message.data));
    return new TextDecoder("utf-8", { fatal: true }).decode(text);
  } catch {
    throw new MalformedError("a sealed message is not for this key, or was changed on its way");
  }
}

/** 4.6.3: sign a text for a recipient, and seal it to them. */
function send(signing, recipient, text, rng) {
  const inner = write({ recipient: pointText(recipient), message: text });
  return encryptMessage(recipient, write(signedMsgJson(signed(signing, inner, rng))), rng);
}

/** Open a text that `send` made; check that it is from `sender` and for us. */
async function receive(keys, sender, sealed, holder, what) {
  let outer;
  let inner;
  try {
    outer = signedMsg(read(await decryptMessage(keys.decryption, sealed)));
    inner = read(outer.message);
    check(hasKeys(inner, "recipient", "message") && isText(inner.message), "wrong fields");
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new VerificationError(`key-holder ${holder} sent ${what} that cannot be opened: ${error.message}`, blaming(holder));
  }
  checkSignature(sender, outer.message, outer.signature, holder, what);
  if (inner.recipient !== pointText(keys.encryption)) {
    throw new VerificationError(`key-holder ${holder} sent ${what} that is meant for somebody else`, blaming(holder));
  }
  return inner.message;
}

// --- 4.6.2 certificates: steps 1 and 2

const contextOf = (size, threshold, index) => ({ group: GROUP_NAME, size, threshold, index });

export function makeCertificate(keys, { index, threshold, size }, rng) {
  checkNumbers(threshold, size);
  check(isCount(index) && 1 <= index && index <= size, "a key-holder's place is from 1 to the size of the group");
  const body = { context: contextOf(size, threshold, index), verification: pointText(keys.verification), encryption: pointText(keys.encryption) };
  return signed(keys.signing, write(body), rng);
}

function checkNumbers(threshold, size) {
  check(isCount(threshold) && isCount(size) && 1 <= threshold && threshold <= size && size <= MAX_GROUP, `a group's threshold must be from 1 to its size, and its size at most ${MAX_GROUP}`);
}

export function checkCertificate(certificate, { index, threshold, size }) {
  let json;
  let verification;
  let encryption;
  try {
    json = read(certificate.message);
    check(hasKeys(json, "context", "verification", "encryption") && hasKeys(json.context, "group", "size", "threshold", "index"), "wrong fields");
    verification = key(json.verification);
    encryption = key(json.encryption);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new VerificationError(`key-holder ${index}'s certificate cannot be read: ${error.message}`, blaming(index));
  }
  if (write(json.context) !== write(contextOf(size, threshold, index))) {
    throw new VerificationError(`key-holder ${index}'s certificate is for another place, threshold or size of group`, blaming(index));
  }
  checkSignature(verification, certificate.message, certificate.signature, index, "the certificate");
  return { verification, encryption, threshold };
}

/** Step 2: the certificates form one group. `threshold` is what the site announced. */
export function checkCertificates(certificates, threshold) {
  const size = certificates.length;
  checkNumbers(threshold, size);
  const bodies = [];
  certificates.forEach((certificate, at) => {
    const body = checkCertificate(certificate, { index: at + 1, threshold, size });
    if (bodies.some((other) => other.verification.equals(body.verification) || other.encryption.equals(body.encryption))) {
      throw new VerificationError(`key-holder ${at + 1} shows another holder's key as their own`, blaming(at + 1));
    }
    bodies.push(body);
  });
  return bodies;
}

/** The place, from 1, of our own certificate. */
export function findPlace(keys, bodies) {
  const at = bodies.findIndex((body) => body.verification.equals(keys.verification) && body.encryption.equals(keys.encryption));
  if (at < 0) throw new VerificationError("this key file's certificate is not among the certificates of this group");
  return at + 1;
}

// --- 4.6.4 polynomials: steps 3 and 4

const certsText = (certificates, coefexps) => `certs_sig|${write({ certs: certificates.map(signedMsgJson), coefexps: coefexps.map(pointText) })}`;

function evaluate(coefficients, x) {
  return coefficients.reduceRight((value, a) => modQ(value * x + a), 0n);
}

function evaluateInExponent(coefexps, x) {
  return coefexps.reduceRight((value, a) => (value === null ? a : publicPower(value, x).add(a)), null);
}

export async function makePolynomial(keys, certificates, threshold, rng) {
  const bodies = checkCertificates(certificates, threshold);
  findPlace(keys, bodies);
  const coefficients = Array.from({ length: threshold }, () => rng.scalar());
  const coefexps = coefficients.map((a) => power(G, a));
  const polynomial = await send(keys.signing, keys.encryption, write({ polynomial: coefficients.map(String) }), rng);
  const secrets = [];
  for (const [at, body] of bodies.entries()) {
    const secret = evaluate(coefficients, BigInt(at + 1));
    secrets.push(await send(keys.signing, body.encryption, write({ secret: String(secret) }), rng));
  }
  const published = signed(keys.signing, write({ coefexps: coefexps.map(pointText) }), rng);
  const signature = sign(keys.signing, certsText(certificates, coefexps), rng);
  return { polynomial, secrets, coefexps: signedMsgJson(published), signature: proofJson(signature) };
}

function checkCoefexps(certificates, body, index, coefexps, signature) {
  checkSignature(body.verification, coefexps.message, coefexps.signature, index, "the coefficients");
  let points;
  try {
    const json = read(coefexps.message);
    check(hasKeys(json, "coefexps"), "wrong fields");
    points = list(json.coefexps, parsePoint);
  } catch (error) {
    if (!(error instanceof MalformedError)) throw error;
    throw new VerificationError(`key-holder ${index}'s coefficients cannot be read: ${error.message}`, blaming(index));
  }
  if (points.length !== body.threshold) {
    throw new VerificationError(`key-holder ${index} published another number of coefficients than the threshold`, blaming(index));
  }
  checkSignature(body.verification, certsText(certificates, points), signature, index, "the certificates");
  return points;
}

// --- 4.6.5, 4.6.6 shares: step 5

/** Check everything that the holders sent us, and add up our decryption key: { privateKey, voutput }. */
export async function makeVoutput(keys, certificates, threshold, input, rng) {
  const bodies = checkCertificates(certificates, threshold);
  const place = findPlace(keys, bodies);
  const all = [input.secrets, input.coefexps, input.signatures];
  check(all.every((one) => one.length === bodies.length), "the input of step 5 does not have one entry for each key-holder");
  const coefexps = bodies.map((body, at) => checkCoefexps(certificates, body, at + 1, input.coefexps[at], input.signatures[at]));
  // Our own polynomial comes back: the coefficients that the server shows to all must be the ones we drew.
  const mine = read(await receive(keys, keys.verification, input.polynomial, place, "their own polynomial"));
  check(hasKeys(mine, "polynomial"), "our own polynomial has the wrong fields");
  const own = list(mine.polynomial, scalar);
  if (own.length !== threshold || !own.every((a, at) => power(G, a).equals(coefexps[place - 1][at]))) {
    throw new VerificationError("the server shows other coefficients for this holder than this holder published");
  }
  let share = 0n;
  for (const [at, body] of bodies.entries()) {
    const text = await receive(keys, body.verification, input.secrets[at], at + 1, "a secret");
    let secret;
    try {
      const json = read(text);
      check(hasKeys(json, "secret"), "wrong fields");
      secret = scalar(json.secret);
    } catch (error) {
      if (!(error instanceof MalformedError)) throw error;
      throw new VerificationError(`key-holder ${at + 1} sent a secret that cannot be read`, blaming(at + 1));
    }
    if (!power(G, secret).equals(evaluateInExponent(coefexps[at], BigInt(place)))) {
      throw new VerificationError(`key-holder ${at + 1} sent a secret that does not fit their coefficients`, blaming(at + 1));
    }
    share = modQ(share + secret);
  }
  if (share === 0n) throw new VerificationError("the key share is zero; the ceremony has to be run again");
  const bare = makePublicKey(share, rng);
  const full = { ...bare, signature: sign(keys.signing, bare.public_key, rng) };
  const sealed = await send(keys.signing, keys.encryption, write({ decryption_key: String(share) }), rng);
  return { privateKey: share, voutput: `{"private_key":${write(sealed)},"public_key":${publicKeyText(full)}}` };
}

/** This holder's decryption key, from the `private_key` of their own voutput. */
export async function openDecryptionKey(keys, voutputText) {
  const json = read(voutputText);
  check(hasKeys(json, "private_key", "public_key") && isText(json.private_key), "our own share has the wrong fields");
  const inner = read(await receive(keys, keys.verification, json.private_key, 0, "a decryption key"));
  check(hasKeys(inner, "decryption_key"), "our own share has the wrong fields");
  return scalar(inner.decryption_key);
}

/** 4.6.7: the group's published parameters hold; its sub-key and its members' keys, in order. */
function checkThresholdParameters({ threshold, certs, coefexps, signatures, verification_keys: keys }, firstOwner) {
  check([coefexps, signatures, keys].every((one) => one.length === certs.length), "a threshold group's lists have different lengths");
  check(certs.length > 0 && certs.length <= MAX_GROUP, `a group has from 1 to ${MAX_GROUP} certificates`);
  let bodies;
  let all;
  try {
    bodies = checkCertificates(certs, threshold);
    all = bodies.map((body, at) => checkCoefexps(certs, body, at + 1, coefexps[at], signatures[at]));
  } catch (error) {
    // The blame is on a place in the group, so far.
    if (error instanceof VerificationError && error.blame !== null) error.blame = blaming(Number(error.blame.split(" ")[1]) + firstOwner - 1);
    throw error;
  }
  keys.forEach((one, at) => {
    const owner = firstOwner + at;
    const expected = product(all.map((points) => evaluateInExponent(points, BigInt(at + 1))));
    if (!expected.equals(one.publicKey)) throw new VerificationError(`key-holder ${owner}'s public key is not what the coefficients give`, blaming(owner));
    checkPublicKey(one, owner);
    if (one.signature === null) throw new VerificationError(`key-holder ${owner} did not sign their public key`, blaming(owner));
    checkSignature(bodies[at].verification, pointText(one.publicKey), one.signature, owner, "the public key");
  });
  return { subKey: product(all.map(([first]) => first)), keys };
}

/**
 * All key-holders of an election (4.7), as reading.js gives them: its key, each owner's key in order, and the groups, each
 * with its owners, how many of them are needed, and its threshold (null for a single key).
 */
export function checkTrustees(items) {
  check(items.length > 0, "an election needs at least one trustee");
  const keys = [];
  const groups = [];
  const parts = [];
  for (const { kind, key: single, parameters } of items) {
    const first = keys.length + 1;
    if (kind === "Single") {
      checkPublicKey(single, first);
      // v1's proof names nobody, so a copied key carries a proof that holds.
      if (keys.some((one) => one.equals(single.publicKey))) throw new VerificationError(`key-holder ${first} shows another holder's key as their own`, blaming(first));
      keys.push(single.publicKey);
      parts.push(single.publicKey);
      groups.push({ needed: 1, threshold: null, owners: [first] });
    } else {
      const { subKey, keys: members } = checkThresholdParameters(parameters, first);
      keys.push(...members.map((one) => one.publicKey));
      parts.push(subKey);
      groups.push({ needed: parameters.threshold, threshold: parameters.threshold, owners: members.map((_, at) => first + at) });
    }
  }
  const publicKey = product(parts);
  if (publicKey.is0()) throw new VerificationError("the trustees' keys cancel each other out");
  const texts = keys.map(pointText);
  if (new Set(texts).size !== keys.length) throw new VerificationError("two key-holders have the same key");
  return { publicKey, keys, texts, groups };
}

/** In words, what these owners, a Set, lack to open (or, for shuffles, to have mixed) the ballots; empty: nothing. */
export function missing(groups, owners) {
  return groups.flatMap(({ needed, threshold, owners: members }) => {
    const lacking = needed - members.filter((one) => owners.has(one)).length;
    if (lacking <= 0) return [];
    return threshold === null ? [`key-holder ${members[0]}`] : [`${lacking} more of key-holders ${members[0]} to ${members[members.length - 1]}`];
  });
}

export const readCertificates = (texts) => list(texts, (text) => signedMsg(read(text)));
export const readVinput = (text) => vinput(read(text));
export const certificateText = (certificate) => write(signedMsgJson(certificate));
