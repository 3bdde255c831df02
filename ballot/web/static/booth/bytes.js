// Bytes and text: the encodings of Belenios v1 (4.1, 4.2), and nothing about groups or pages.

const encoder = new TextEncoder();
const HEX = /^(?:[0-9a-f]{2})*$/;
const BASE64_DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

/** Anything that comes from outside and is not what the text describes. Its message is for a log, not for a member. */
export class MalformedError extends Error {
  constructor(message) {
    super(message);
    this.name = "MalformedError";
  }
}

export function utf8(text) {
  return encoder.encode(text);
}

export function toHex(bytes) {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** Bytes from lower-case hexadecimal digits. Throws MalformedError. */
export function fromHex(text) {
  if (typeof text !== "string" || !HEX.test(text)) throw new MalformedError("not lower-case hexadecimal");
  return Uint8Array.from(text.match(/../g) ?? [], (pair) => parseInt(pair, 16));
}

/** Standard Base64 without padding: fingerprints, receipt codes and signature hashes (4.10, 4.16). */
export function toBase64(bytes) {
  let text = "";
  for (let at = 0; at < bytes.length; at += 3) {
    const [a, b = 0, c = 0] = bytes.subarray(at, at + 3);
    const group = (a << 16) | (b << 8) | c;
    const digits = Math.min(bytes.length - at, 3) + 1;
    for (let digit = 0; digit < digits; digit += 1) text += BASE64_DIGITS[(group >> (18 - 6 * digit)) & 63];
  }
  return text;
}

/** Bytes from unpadded standard Base64, accepted only in the one form that `toBase64` writes. Throws MalformedError. */
export function fromBase64(text) {
  const bytes = [];
  let held = 0;
  let bits = 0;
  for (const character of String(text)) {
    const value = BASE64_DIGITS.indexOf(character);
    if (value < 0) throw new MalformedError("not Base64");
    held = ((held << 6) | value) & 0xffff;
    bits += 6;
    if (bits >= 8) {
      bits -= 8;
      bytes.push((held >> bits) & 255);
    }
  }
  const result = Uint8Array.from(bytes);
  if (toBase64(result) !== text) throw new MalformedError("not the shortest Base64");
  return result;
}

/** Big-endian bytes as a number. */
export function toInteger(bytes) {
  return BigInt(`0x${toHex(bytes) || "0"}`);
}

/**
 * Compact JSON as v1 archives hold it: fields in the order given, characters outside ASCII as they are.
 * The one difference from JSON.stringify is that DEL is escaped.
 */
export function canonicalJson(value) {
  return JSON.stringify(value).replaceAll("\u007f", "\\u007f");
}

/**
 * Parse JSON that must be in exactly that form. Duplicate keys, spaces and other spellings do not survive the
 * comparison. Throws MalformedError.
 */
export function parseCanonicalJson(text) {
  let value;
  try {
    value = JSON.parse(text);
  } catch {
    throw new MalformedError("not JSON");
  }
  if (canonicalJson(value) !== text) throw new MalformedError("not in the one accepted JSON form");
  return value;
}
