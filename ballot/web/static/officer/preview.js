// Keeps the preview of a message fresh while an officer types. Without it, the Preview button does the same.
const form = document.getElementById("message");
const [subject, plain, formatted, status] = ["live-subject", "live-plain", "formatted", "live-status"].map((id) => document.getElementById(id));
let timer, newest = 0;

async function refresh() {
  const mine = ++newest;
  try {
    const answer = await fetch(`${form.getAttribute("action")}/live`, { method: "POST", body: new FormData(form) });
    if (!answer.ok) throw new Error();
    const letter = await answer.json();
    if (mine !== newest) return; // something newer was typed meanwhile
    formatted.hidden = true;
    status.textContent = letter.problems.length ? letter.problems.join(" ") : status.dataset.fresh;
    if (!letter.problems.length) {
      subject.textContent = letter.subject;
      plain.textContent = letter.plain;
    }
  } catch {
    if (mine === newest) status.textContent = status.dataset.stale;
  }
}

form.addEventListener("input", () => {
  clearTimeout(timer);
  timer = setTimeout(refresh, 500);
});
