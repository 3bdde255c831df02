// Every word that a page's script shows, in the language in use. The words themselves come with the page, from the catalogue:
// one tree of texts for each language (ballot/web/texts.py; the booth's tree is ballot/web/booth/texts.py).

import { clock } from "./times.js";

/** The tree in use. A text that counts or has something to fill in is a function from { name: value }; the rest are strings. */
export const texts = {};

let catalogue = {};
let words = {};
let plurals = "";

export let language = "";
export let spoken;
export let spokenHour;
export let duration;

const fill = (text, values) => text.replace(/\{(\w+)\}/g, (_, name) => values[name] ?? "…");

/** A list is a text's plural forms. What stands behind a "|" is heard and not seen: then the text is a list of parts. */
function speaker(text) {
  if (typeof text === "object" && !Array.isArray(text)) return Object.fromEntries(Object.entries(text).map(([key, value]) => [key, speaker(value)]));
  if (typeof text === "string" && !/[{|]/.test(text)) return text;
  const forms = [text].flat();
  return (values = {}) => {
    const form = forms.length === 1 ? 0 : plurals[values.count < plurals.length ? values.count : 100 + (values.count % 100)];
    const parts = forms[form].split("|").map((part) => fill(part, values));
    return parts.length === 1 ? parts[0] : parts;
  };
}

/** Take the catalogue, { language: { name, tag, plurals, texts } }, and speak its first language. */
export function load(given) {
  catalogue = given;
  speak(Object.keys(given)[0]);
}

/** The languages that there are, [key, own name]. */
export const languages = () => Object.entries(catalogue).map(([key, { name, tag }]) => ({ key, name, tag }));

/** From now on every text is in this language. */
export function speak(key) {
  const { texts: tree, plurals: rule } = catalogue[key];
  language = key;
  [words, plurals] = [tree, rule];
  Object.assign(texts, speaker(tree));
  ({ spoken, spokenHour, duration } = clock(texts.times));
}

/** The text at a path such as "frame.how", as it stands in the catalogue. */
export const textAt = (path) => path.split(".").reduce((tree, key) => tree[key], words);

/** What the organisation wrote itself, its questions and names, is not in the member's language but in English. */
export const theirs = (properties = {}) => ({ ...properties, lang: language === "en" ? null : catalogue.en.tag });

/** "3rd", or how else the language writes a place in a ranking. */
export const ordinal = (number) => texts.ordinals.split(", ")[number - 1] ?? String(number);
