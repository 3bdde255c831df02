// Times in words, in UK time. The same words as ballot/services/clock.py writes in mails and on the other pages.

const FORMAT = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Europe/London",
  weekday: "long",
  day: "numeric",
  month: "long",
  year: "numeric",
  hour: "numeric",
  minute: "numeric",
  hourCycle: "h23",
});

function parts(moment) {
  return Object.fromEntries(FORMAT.formatToParts(new Date(moment)).map(({ type, value }) => [type, value]));
}

/** "Friday 20 March 2026 at 5pm (UK time)" */
export function spoken(moment) {
  const { weekday, day, month, year } = parts(moment);
  return `${weekday} ${day} ${month} ${year} at ${spokenHour(moment)} (UK time)`;
}

/** "5pm", "9.30am", "noon" or "midnight" */
export function spokenHour(moment) {
  const { hour, minute } = parts(moment);
  const hours = Number(hour) % 24;
  const minutes = Number(minute);
  if (minutes === 0 && hours % 12 === 0) return hours === 0 ? "midnight" : "noon";
  const dotted = minutes === 0 ? "" : `.${String(minutes).padStart(2, "0")}`;
  return `${hours % 12 || 12}${dotted}${hours < 12 ? "am" : "pm"}`;
}

/** "1 second", "40 seconds", "3 minutes" */
export function duration(seconds) {
  const [number, unit] = seconds < 100 ? [Math.round(seconds), "second"] : [Math.round(seconds / 60), "minute"];
  return `${number} ${unit}${number === 1 ? "" : "s"}`;
}
