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

/** "40 seconds", "1 minute", "3 minutes and 5 seconds", "2 hours" */
export function duration(seconds) {
  const whole = Math.max(0, Math.round(seconds));
  const count = (number, unit) => `${number} ${unit}${number === 1 ? "" : "s"}`;
  if (whole < 60) return count(whole, "second");
  if (whole >= 7200) return count(Math.round(whole / 3600), "hour");
  const rest = whole % 60;
  return rest === 0 ? count(whole / 60, "minute") : `${count((whole - rest) / 60, "minute")} and ${count(rest, "second")}`;
}
