// Keeps the figures of the sending page fresh. Without it, the Refresh link does the same. It never moves the page by itself.
const progress = document.getElementById("progress");
const changed = document.getElementById("changed");

async function refresh() {
  try {
    const answer = await fetch(progress.dataset.figures);
    if (!answer.ok) return;
    const { figures, signs } = await answer.json();
    for (const place of progress.querySelectorAll("[data-figure]")) {
      const figure = figures[place.dataset.figure];
      if (figure !== undefined && place.textContent !== figure) place.textContent = figure;
    }
    const shown = [...progress.querySelectorAll("[data-mailing]")];
    const same = shown.length === Object.keys(signs).length && shown.every((card) => signs[card.dataset.mailing] === card.dataset.sign);
    if (changed.hidden !== same) changed.hidden = same;
  } catch {
    // no connection: the figures stay as they are
  }
}

if (progress) setInterval(() => document.hidden || refresh(), 4000);
