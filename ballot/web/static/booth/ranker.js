// The ranking widget: tap names to rank them, order them with buttons, or type numbers.
//
// Names in the list of choices never move by themselves, and the pressed button keeps the focus: a button changes its
// words, and when two ranked names change places it is the other one that is moved in the page.

import { button, h, p, quiet, soft, spokenParts } from "./page.js";
import { choose, fromTyped, move, remove, toTyped } from "./ranking.js";
import { choiceName, partsOf } from "./answers.js";
import { ordinal, texts, theirs } from "./texts.js";

export function rankingQuestion(question, answer, { order, paper, messages, orderedList, folded, errorText, again, announce }) {
  const t = texts.question;
  const count = question.answers.length;
  const name = (choice) => choiceName(question, choice);
  const { statements } = partsOf(question);
  const box = h("div", {});

  const draw = () => {
    box.replaceChildren(...(answer.typed === null ? tapping() : typing()));
  };
  const change = (toNumbers) => () => {
    if (toNumbers) answer.typed = toTyped(answer.ranking, count);
    else {
      const { ranking, problems } = fromTyped(answer.typed);
      if (problems.length > 0) return again(problems); // nothing that was typed is thrown away
      Object.assign(answer, { ranking, typed: null });
    }
    draw();
    return box.querySelector("[data-view]").focus();
  };
  const viewButton = (toNumbers) => button(toNumbers ? t.numbers : t.taps, change(toNumbers), { class: "linklike", "data-view": true });

  function tapping() {
    const choosers = new Map();
    const ranked = h("ol", { class: "tasks" });
    const rows = new Map();
    const empty = soft(t.nobody);

    const label = (choice) => {
      const rank = answer.ranking.indexOf(choice) + 1;
      const chooser = choosers.get(choice);
      chooser.replaceChildren(...spokenParts(rank === 0 ? t.chooseAs({ name: name(choice), rank: ordinal(answer.ranking.length + 1) }) : t.ranked({ name: name(choice), rank: ordinal(rank) })));
      chooser.classList.toggle("quiet", rank === 0);
    };
    const refresh = () => {
      for (const choice of order) label(choice);
      empty.hidden = answer.ranking.length > 0;
      answer.ranking.forEach((choice, at) => rows.get(choice).tell(at + 1));
    };
    const drop = (choice) => {
      answer.ranking = remove(answer.ranking, choice);
      rows.get(choice).element.remove();
      rows.delete(choice);
      refresh();
      announce(t.said.removed({ name: name(choice), count: answer.ranking.length }));
    };
    const shift = (choice, by) => {
      const moved = move(answer.ranking, choice, by);
      if (moved === answer.ranking) {
        announce((by < 0 ? t.said.first : t.said.last)({ name: name(choice) }));
        return;
      }
      answer.ranking = moved;
      const { element } = rows.get(choice);
      if (by < 0) element.after(element.previousElementSibling);
      else element.before(element.nextElementSibling);
      refresh();
      announce(t.said.moved({ name: name(choice), rank: ordinal(moved.indexOf(choice) + 1) }));
    };
    const addRow = (choice) => {
      const place = h("strong", {});
      const up = quiet("", () => shift(choice, -1));
      const down = quiet("", () => shift(choice, 1));
      const away = quiet(t.remove({ name: name(choice) }), () => {
        const { element } = rows.get(choice);
        const near = element.nextElementSibling ?? element.previousElementSibling;
        drop(choice);
        (near ? near.querySelector("[data-remove]") : title).focus();
      }, { "data-remove": true });
      const element = h("li", {}, h("div", {}, place, " ", h("span", theirs(), name(choice))), h("span", { class: "moves" }, up, down, away));
      const tell = (rank) => {
        place.textContent = ordinal(rank);
        up.replaceChildren(...spokenParts((rank > 1 ? t.up : t.top)({ name: name(choice), rank: ordinal(rank - 1) })));
        down.replaceChildren(...spokenParts((rank < answer.ranking.length ? t.down : t.bottom)({ name: name(choice), rank: ordinal(rank + 1) })));
        up.setAttribute("aria-disabled", String(rank === 1));
        down.setAttribute("aria-disabled", String(rank === answer.ranking.length));
      };
      rows.set(choice, { element, tell });
      ranked.append(element);
    };
    const toggle = (choice) => {
      if (answer.ranking.includes(choice)) return drop(choice);
      answer.ranking = choose(answer.ranking, choice);
      addRow(choice);
      refresh();
      return announce(t.said.chosen({ name: name(choice), rank: ordinal(answer.ranking.length), count: answer.ranking.length }));
    };
    const make = (choice) => {
      const chooser = button("", () => toggle(choice));
      choosers.set(choice, chooser);
      return h("div", { class: "choice" }, h("div", theirs(), name(choice), folded(name(choice), statements[choice])), chooser);
    };

    const { list, toggle: reorder } = orderedList(question, order, paper, make, announce);
    const title = h("h2", { tabindex: "-1" }, t.yours);
    answer.ranking.forEach(addRow);
    refresh();
    return [p(viewButton(true)), reorder, h("div", { class: "rank" }, h("section", {}, h("h2", {}, t.candidates), list), h("section", {}, title, empty, ranked))];
  }

  function typing() {
    const make = (choice) => {
      const id = `number-${choice}`;
      const errors = errorText(messages, id);
      return h(
        "div",
        { class: errors.length > 0 ? "choice wrong" : "choice" },
        h("div", {}, h("label", theirs({ for: id }), name(choice)), errors.map((error) => (error.setAttribute("id", `${id}-error`), error))),
        h("input", {
          id,
          type: "text",
          inputmode: "numeric",
          autocomplete: "off",
          maxlength: "3",
          value: answer.typed[choice],
          "aria-describedby": errors.length > 0 ? `${id}-error` : null,
          oninput: ({ target }) => {
            answer.typed[choice] = target.value;
          },
        }),
      );
    };
    const { list, toggle } = orderedList(question, order, paper, make, announce);
    return [p(viewButton(false)), toggle, h("p", { class: "hint" }, t.numberHint), h("div", { class: "rank" }, list)];
  }

  draw();
  const blank = h("input", { type: "checkbox", id: "answer-blank", checked: answer.blank, onchange: ({ target }) => (answer.blank = target.checked) });
  return [
    p(t.explain),
    h("div", { id: "answer", class: messages.some(({ field }) => field === "answer") ? "wrong" : null }, errorText(messages, "answer"), box),
    h("div", { class: "pick" }, blank, h("div", {}, h("label", { for: "answer-blank" }, t.blank))),
  ];
}
