// What the key-holder's page says of numbers and names, put together from whole sentences of the catalogue.

import { texts as T } from "../booth/texts.js";

const list = (names, join = T.list.and) => (names.length < 2 ? names.join("") : join({ items: names.slice(0, -1).join(", "), last: names[names.length - 1] }));
const text = (...sentences) => sentences.join(" ");

/** Whose page it is. */
export const holderOf = ({ owner, size, holder }) => (size > 1 ? T.holder.several({ owner, size, holder }) : T.holder.single({ holder }));

/** How many open the box, and what follows. */
export function share({ threshold, size }) {
  if (size === 1) return T.make.single;
  return text(T.make.opens({ threshold, size }), T.make.lose({ count: size - threshold }), T.make.lend({ count: threshold }));
}

export const waitingFor = (names) => T.waiting.title({ names: list(names) });

export const others = (names) => (names.length === 0 ? T.ready.all : T.ready.others({ names: list(names) }));

/** Who has not shown again that the key opens, and whether the others are enough. */
export function shownAgain(names, { size, threshold }) {
  if (names.length === 0) return T.ready.allShown;
  const spare = size - names.length - threshold;
  let enough = T.ready.noneSpare;
  if (spare > 0) enough = T.ready.spare({ count: spare });
  else if (spare < 0) enough = T.ready.short({ count: -spare });
  return text(T.ready.notShown({ names: list(names) }), enough);
}

/** What a lost key means. */
export function mayLose({ threshold, size }) {
  if (size === threshold) return text(T.lost.tell, T.lost.single);
  return text(T.lost.tell, T.lost.keys({ count: size, threshold }), T.lost.spare({ count: size - threshold }));
}

export const tooFew = (threshold) => text(T.lost.few({ count: threshold }), T.lost.wayOn);

/** Whose keys are lost, and how many are left. */
export function countLost({ lost, size, threshold }) {
  const left = size - lost.length;
  let more = T.lost.noMore;
  if (left < threshold) more = T.lost.tooFew;
  else if (left > threshold) more = T.lost.more({ count: left - threshold });
  return text(T.lost.names({ names: list(lost) }), T.lost.left({ left, count: size, threshold }), more);
}

/** Who is still to come, where `count` of them are enough. */
export const awaited = (count, names) => (count < names.length ? T.count.some({ count, names: list(names, T.list.or) }) : T.count.all({ names: list(names) }));

/** How far the check of the ballot box is. */
export function stepDone(step, count) {
  const said = T.count.steps[step];
  return typeof said === "function" ? said({ count }) : said;
}
