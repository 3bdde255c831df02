// One member's answer to one question, as the screen holds it, and as the protocol wants it. No page, no group.

import { fromTyped, toRanks } from "./ranking.js";
import { texts } from "./texts.js";

export const BLANK = "blank";
const RON = "Re-open nominations"; // as the ballot paper has it

/** "one" (choose one), "several" (choose up to N) or "ranking". */
export function kindOf(question) {
  if (question.type === "NonHomomorphic") return "ranking";
  return question.max === 1 ? "one" : "several";
}

/** For, Against and Abstain: listed in this order for everybody. */
export function isMotion(question) {
  return kindOf(question) === "one" && question.answers.join() === "For,Against";
}

/** A choice as it is shown: For and Against, and "Re-open nominations", are known words, whatever the language. */
export function choiceName(question, choice) {
  const { for: yes, against, ron } = texts.question;
  const name = question.answers[choice];
  if (isMotion(question)) return [yes, against][choice];
  return name === RON ? ron : name;
}

/** Whether the member may leave this question blank, and so has to say it when they mean it. */
export function mayBeBlank(question) {
  return question.type === "NonHomomorphic" || question.blank || question.min === 0;
}

export function emptyAnswer(question) {
  switch (kindOf(question)) {
    case "one":
      return { choice: null };
    case "several":
      return { chosen: [], blank: false };
    default:
      return { ranking: [], blank: false, typed: null };
  }
}

/** The ranking, from whichever of the two views is in use. */
export function rankingOf(answer) {
  return answer.typed === null ? answer.ranking : fromTyped(answer.typed).ranking;
}

/** What keeps this answer from being used: [{ kind, choice? … }], empty when all is well. */
export function problems(question, answer) {
  const allowed = mayBeBlank(question);
  switch (kindOf(question)) {
    case "one":
      return answer.choice === null ? [{ kind: "none" }] : [];
    case "several": {
      const count = answer.chosen.length;
      if (answer.blank) return count > 0 ? [{ kind: "both", count }] : [];
      if (count === 0 && (allowed || question.min > 0)) return [{ kind: "none" }];
      if (count > question.max) return [{ kind: "many", count, max: question.max }];
      return count < question.min ? [{ kind: "few", count, min: question.min }] : [];
    }
    default: {
      const wrong = answer.typed === null ? [] : fromTyped(answer.typed).problems;
      if (wrong.length > 0) return wrong;
      const count = rankingOf(answer).length;
      if (answer.blank) return count > 0 ? [{ kind: "both", count }] : [];
      return count === 0 ? [{ kind: "none" }] : [];
    }
  }
}

/** The integers that are sealed (v1 4.11). Throws RangeError while there are problems. */
export function toIntegers(question, answer) {
  if (problems(question, answer).length > 0) throw new RangeError("an answer with problems is never sealed");
  const count = question.answers.length;
  if (question.type === "NonHomomorphic") return toRanks(answer.blank ? [] : rankingOf(answer), count);
  const blank = kindOf(question) === "one" ? answer.choice === BLANK : answer.blank;
  const chosen = blank ? [] : kindOf(question) === "one" ? [answer.choice] : answer.chosen;
  const made = Array.from({ length: count }, (_, choice) => (chosen.includes(choice) ? 1 : 0));
  return question.blank ? [blank ? 1 : 0, ...made] : made;
}

/**
 * A question's parts, all of them in the election's fingerprint: its first line names it, a line that begins with a
 * choice and a colon is that choice's statement, and what is left is the question's own text.
 */
export function partsOf(question) {
  const [title, ...lines] = question.question.split("\n");
  const statements = question.answers.map(() => "");
  const text = lines.filter((line) => {
    const choice = question.answers.findIndex((answer) => line.startsWith(`${answer}: `));
    if (choice < 0) return true;
    statements[choice] += `${line.slice(question.answers[choice].length + 2)}\n`;
    return false;
  });
  return { title: title.trim(), text: text.join("\n").trim(), statements };
}
