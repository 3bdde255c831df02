export function recount({ declarations }) {
  return { verdicts: [], recounted: [], note: null, words: declarations ? "" : "no rule is declared" };
}
