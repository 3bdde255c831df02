// Small tools for building a page out of text: no markup is ever parsed, so no text can become markup.

/**
 * An element. Properties that begin with "on" are listeners; `true` sets an empty attribute, `false`, `null` and
 * `undefined` set none. Children are elements or texts.
 */
export function h(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (key === "value" || key === "checked") element[key] = value;
    else if (value !== false && value !== null && value !== undefined) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** A text whose odd parts are for those who cannot see what stands around it: ["Change", ": Motion 4"]. */
export function spokenParts(parts) {
  return parts.map((part, at) => (at % 2 === 0 ? part : h("span", { class: "unseen" }, part)));
}

/** What the page brings as data, in a template element. */
export const dataOf = (id) => JSON.parse(document.getElementById(id).content.textContent);

const paragraph = (kind) => (...children) => h("p", kind ? { class: kind } : {}, ...children);
export const p = paragraph("");
export const lead = paragraph("lead");
export const soft = paragraph("soft");
/** A paragraph that stands out: `kind` is "", "warn" or "bad". */
export const notice = (kind, ...children) => h("p", { class: `notice ${kind}`.trim() }, h("strong", {}, ...children));

export function button(label, onclick, properties = {}) {
  return h("button", { type: "button", onclick, ...properties }, Array.isArray(label) ? spokenParts(label) : label);
}

/** A button that is not the page's main one. */
export const quiet = (label, onclick, properties = {}) => button(label, onclick, { class: "quiet", ...properties });

/** A text with line breaks as paragraphs. */
export function paragraphs(text, properties = {}) {
  return text
    .split(/\n+/)
    .filter((line) => line.trim() !== "")
    .map((line) => h("p", properties, line));
}

/** Say something to people who listen to the page; what is already said is said again. */
export function announce(text) {
  const live = document.getElementById("live");
  live.textContent = "";
  setTimeout(() => {
    live.textContent = text;
  }, 50);
}
