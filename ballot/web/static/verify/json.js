// JSON as archives hold it, read strictly: no key twice, integers only and none of them huge. Objects become Maps, which keep
// every key and its place.

import { MalformedError } from "../booth/bytes.js";

const INTEGER = /-?(?:0|[1-9][0-9]*)/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?/y;
const STRING = /"[^"\\\u0000-\u001f]*(?:\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4})[^"\\\u0000-\u001f]*)*"/y;
const SPACE = /[ \t\n\r]*/y;
const WORD = /true|false|null|NaN|-?Infinity/y;
const CONSTANTS = new Map([["true", true], ["false", false], ["null", null]]);
const MAX_DIGITS = 15;
const MAX_DEPTH = 900;

const malformed = (message) => new MalformedError(message);
const notJson = () => malformed("not JSON in UTF-8");

class Reader {
  #text;
  #at = 0;

  constructor(text) {
    this.#text = text;
  }

  whole() {
    this.#take(SPACE);
    const value = this.#value(0);
    this.#take(SPACE);
    if (this.#at !== this.#text.length) throw notJson();
    return value;
  }

  #take(pattern) {
    pattern.lastIndex = this.#at;
    const match = pattern.exec(this.#text);
    if (match === null) return null;
    this.#at += match[0].length;
    return match[0];
  }

  /** Step over this character, if it is next. */
  #skip(character) {
    this.#take(SPACE);
    if (this.#text[this.#at] !== character) return false;
    this.#at += 1;
    this.#take(SPACE);
    return true;
  }

  #value(depth) {
    if (depth > MAX_DEPTH) throw notJson();
    switch (this.#text[this.#at]) {
      case "{":
        return this.#object(depth);
      case "[":
        return this.#array(depth);
      case '"':
        return this.#string();
      default:
        return this.#word();
    }
  }

  #string() {
    const raw = this.#take(STRING);
    if (raw === null) throw notJson();
    return raw.includes("\\") ? JSON.parse(raw) : raw.slice(1, -1);
  }

  #word() {
    const word = this.#take(WORD);
    if (word !== null) {
      if (!CONSTANTS.has(word)) throw malformed(`'${word}' is not an integer`);
      return CONSTANTS.get(word);
    }
    const raw = this.#take(NUMBER);
    if (raw === null) throw notJson();
    INTEGER.lastIndex = 0;
    if (INTEGER.exec(raw)[0] !== raw) throw malformed(`'${raw.slice(0, 20)}' is not an integer`);
    if (raw.length > MAX_DIGITS) throw malformed("an integer is too large");
    return Number(raw);
  }

  #array(depth) {
    const items = [];
    this.#skip("[");
    if (this.#skip("]")) return items;
    do items.push(this.#value(depth + 1));
    while (this.#skip(","));
    if (!this.#skip("]")) throw notJson();
    return items;
  }

  #object(depth) {
    const members = new Map();
    let count = 0;
    this.#skip("{");
    if (this.#skip("}")) return members;
    do {
      const name = this.#text[this.#at] === '"' ? this.#string() : null;
      if (name === null || !this.#skip(":")) throw notJson();
      members.set(name, this.#value(depth + 1));
      count += 1;
    } while (this.#skip(","));
    if (!this.#skip("}")) throw notJson();
    if (members.size !== count) throw malformed("a JSON object has the same key twice");
    return members;
  }
}

/** The value of a JSON text; null stands for bytes that are no text. Throws MalformedError. */
export function loads(text) {
  if (text === null) throw notJson();
  return new Reader(text).whole();
}

function isWhole(text) {
  for (const character of text) {
    const code = character.codePointAt(0);
    if (code >= 0xd800 && code < 0xe000) return false;
  }
  return true;
}

function writeText(text) {
  const written = JSON.stringify(text);
  // Half of a surrogate pair, which has no UTF-8, is escaped there.
  if (written.includes("\\ud") && !isWhole(text)) throw malformed("a string is not valid Unicode");
  return written;
}

/** Compact JSON, as the reference tool writes it. Throws MalformedError for strings that are no Unicode. */
export function dumps(value) {
  if (typeof value === "string") return writeText(value).replaceAll("\u007f", "\\u007f");
  if (value instanceof Map) return `{${[...value].map(([name, one]) => `${dumps(name)}:${dumps(one)}`).join(",")}}`;
  if (Array.isArray(value)) return `[${value.map(dumps).join(",")}]`;
  return String(Object.is(value, -0) ? 0 : value);
}

function byCodePoint([a], [b]) {
  const [left, right] = [a, b].map((text) => Array.from(text, (character) => character.codePointAt(0)));
  const at = left.findIndex((code, i) => code !== right[i]);
  return at < 0 ? left.length - right.length : left[at] - (right[at] ?? -1);
}

/** Compact JSON of plain objects and arrays with the keys in order, as published records are written. */
export function dumpsSorted(value) {
  if (typeof value === "string") return writeText(value);
  if (Array.isArray(value)) return `[${value.map(dumpsSorted).join(",")}]`;
  if (value === null || typeof value !== "object") return String(value);
  const members = value instanceof Map ? [...value] : Object.entries(value);
  return `{${members.sort(byCodePoint).map(([name, one]) => `${writeText(name)}:${dumpsSorted(one)}`).join(",")}}`;
}
