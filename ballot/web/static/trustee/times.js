// Times in English, for the key-holders' page.

import { clock } from "../booth/times.js";

export const { spoken } = clock({
  weekdays: "Sunday, Monday, Tuesday, Wednesday, Thursday, Friday, Saturday",
  months: "January, February, March, April, May, June, July, August, September, October, November, December",
  when: ({ weekday, day, month, year, hour }) => `${weekday} ${day} ${month} ${year} at ${hour} (UK time)`,
  morning: ({ hour }) => `${hour}am`,
  afternoon: ({ hour }) => `${hour}pm`,
  noon: "noon",
  midnight: "midnight",
});
