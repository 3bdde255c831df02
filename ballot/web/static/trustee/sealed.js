// Files sealed with a passphrase: the format of ballot/sealed.py, so that a file made here opens there and the reverse.

import { scrypt } from "@noble/hashes/scrypt.js";
import { utf8 } from "../booth/bytes.js";
import { check, hasKeys, isObject, isText, read, write } from "../verify/messages.js";
import { RefusedError } from "../verify/errors.js";

export const MIN_PASSPHRASE = 12; // characters
const SCRYPT_N = 1 << 17; // 128 MiB, and about a second a guess
const MAX_SCRYPT_N = 1 << 20;
const MAX_FILE = 1 << 20; // bytes; a key file has about 600
// In its one form: the last character's spare bits are zero.
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?$/;

/** The passphrase is not the file's, or the file was changed. */
export class WrongPassphraseError extends Error {
  constructor() {
    super("this passphrase does not open the file, or the file was changed");
    this.name = "WrongPassphraseError";
  }
}

const toPadded = (bytes) => btoa(String.fromCharCode(...bytes));

function fromPadded(text, length = null) {
  check(isText(text) && BASE64.test(text), "a field is not Base64");
  const bytes = Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  check(length === null || bytes.length === length, "a field has another length");
  return bytes;
}

/** Code points, as Python counts them. */
export function isLongEnough(passphrase) {
  return [...passphrase].length >= MIN_PASSPHRASE;
}

async function aesKey(passphrase, salt, n, use, progress) {
  const secret = scrypt(utf8(passphrase.normalize("NFC")), salt, { N: n, r: 8, p: 1, dkLen: 32, onProgress: progress });
  return crypto.subtle.importKey("raw", secret, "AES-GCM", false, [use]);
}

/** The text of a sealed file, one line. Throws RefusedError for a short passphrase. */
export async function seal(kind, about, text, passphrase, { n = SCRYPT_N, progress } = {}) {
  if (!isLongEnough(passphrase)) throw new RefusedError(`a passphrase needs at least ${MIN_PASSPHRASE} characters`);
  const salt = crypto.getRandomValues(new Uint8Array(16));
  const nonce = crypto.getRandomValues(new Uint8Array(12));
  const head = {
    ballot_sealed: 1,
    kind,
    about,
    kdf: { name: "scrypt", n, r: 8, p: 1, salt: toPadded(salt) },
    cipher: "AES-256-GCM",
    nonce: toPadded(nonce),
  };
  const aes = await aesKey(passphrase, salt, n, "encrypt", progress);
  const additionalData = utf8(write(head));
  const sealed = await crypto.subtle.encrypt({ name: "AES-GCM", iv: nonce, additionalData }, aes, utf8(text));
  return `${write({ ...head, data: toPadded(new Uint8Array(sealed)) })}\n`;
}

/** A sealed file's head and data, unproven. Throws MalformedError. */
export function peek(text) {
  check(text.length <= MAX_FILE, "it is larger than any key");
  const head = read(text.trim());
  check(isObject(head) && (head.ballot_sealed === 1 || !Number.isInteger(head.ballot_sealed)), "it was made by a newer version of this program");
  check(
    hasKeys(head, "ballot_sealed", "kind", "about", "kdf", "cipher", "nonce", "data") &&
      head.ballot_sealed === 1 && isText(head.kind) && isObject(head.about) && Object.values(head.about).every(isText) &&
      hasKeys(head.kdf, "name", "n", "r", "p", "salt") && head.kdf.name === "scrypt" && head.kdf.r === 8 && head.kdf.p === 1 &&
      head.cipher === "AES-256-GCM",
    "it is not a file that this program sealed",
  );
  const { n } = head.kdf;
  check(Number.isInteger(n) && n >= 2 && n <= MAX_SCRYPT_N && (n & (n - 1)) === 0, "its cost is out of range");
  return head;
}

/** What a sealed file holds: { kind, about, text }. Throws MalformedError, WrongPassphraseError. */
export async function unseal(file, passphrase, progress) {
  const { data, ...head } = peek(file);
  const [salt, iv, sealed] = [fromPadded(head.kdf.salt), fromPadded(head.nonce, 12), fromPadded(data)];
  const aes = await aesKey(passphrase, salt, head.kdf.n, "decrypt", progress);
  let plain;
  try {
    plain = await crypto.subtle.decrypt({ name: "AES-GCM", iv, additionalData: utf8(write(head)) }, aes, sealed);
  } catch {
    throw new WrongPassphraseError();
  }
  return { kind: head.kind, about: head.about, text: new TextDecoder("utf-8", { fatal: true }).decode(plain) };
}
