// Times in words, in UK time. The English words are those that ballot/services/clock.py writes in mails and on the other pages.

const FORMAT = new Intl.DateTimeFormat("en-GB", {
  timeZone: "Europe/London",
  day: "numeric",
  month: "numeric",
  year: "numeric",
  hour: "numeric",
  minute: "numeric",
  hourCycle: "h23",
});

function parts(moment) {
  return Object.fromEntries(FORMAT.formatToParts(new Date(moment)).map(({ type, value }) => [type, Number(value)]));
}

/** The functions that say times in these words; `words` is the part "times" of the catalogue. */
export function clock(words) {
  const [weekdays, months] = [words.weekdays.split(", "), words.months.split(", ")];

  /** "5pm", "9.30am", "noon" or "midnight" */
  function spokenHour(moment) {
    const { hour, minute } = parts(moment);
    if (minute === 0 && hour % 12 === 0) return hour === 0 ? words.midnight : words.noon;
    const past = String(minute).padStart(2, "0");
    const said = { hour: `${hour % 12 || 12}${minute === 0 ? "" : `.${past}`}`, clock: `${hour}.${past}` };
    return (hour < 12 ? words.morning : words.afternoon)(said);
  }

  /** "Friday 20 March 2026 at 5pm (UK time)" */
  function spoken(moment) {
    const { day, month, year } = parts(moment);
    const weekday = weekdays[new Date(Date.UTC(year, month - 1, day)).getUTCDay()];
    return words.when({ weekday, day, month: months[month - 1], year, hour: spokenHour(moment) });
  }

  /** "1 second", "40 seconds", "3 minutes" */
  function duration(seconds) {
    return seconds < 100 ? words.seconds({ count: Math.round(seconds) }) : words.minutes({ count: Math.round(seconds / 60) });
  }

  return { spoken, spokenHour, duration };
}
