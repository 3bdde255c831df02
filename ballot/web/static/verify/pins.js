// What a person has noted of a ballot box: a receipt code, HEIGHT:HASH, or the text of a checkpoint.

import { fromBase64, MalformedError, toHex } from "../booth/bytes.js";

const PIN = /^(0|[1-9][0-9]{0,14}):([0-9a-f]{64})$/;
const RECEIPT = /^[A-Za-z0-9+/]{43}$/;
const CHECKPOINT = /^(\S+)\n(0|[1-9][0-9]{0,14})\n([A-Za-z0-9+/]{43}=)(?:\n|$)/;

/** { pins: [[height, hash]], codes: [{ code, hash }], origin }. Throws MalformedError for what is none of the three. */
export function readNoted(text) {
  const noted = { pins: [], codes: [], origin: null };
  const trimmed = text.trim().replaceAll("\r", "");
  if (trimmed === "") return noted;
  const checkpoint = CHECKPOINT.exec(trimmed);
  if (checkpoint !== null) {
    noted.origin = checkpoint[1];
    noted.pins.push([Number(checkpoint[2]), toHex(fromBase64(checkpoint[3].slice(0, -1)))]);
    return noted;
  }
  for (const word of trimmed.split(/\s+/)) {
    const pin = PIN.exec(word);
    if (pin !== null) noted.pins.push([Number(pin[1]), pin[2]]);
    else if (RECEIPT.test(word)) noted.codes.push({ code: word, hash: toHex(fromBase64(word)) });
    else throw new MalformedError("not a receipt code, a pin or a checkpoint");
  }
  return noted;
}
