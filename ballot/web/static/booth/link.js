// The mailed link's secret part, everything after '#': `<token>.<code>`.

/**
 * Token, code and meeting from a fragment; null when the link was cut short. The token's signature is the service's to
 * check; all we read from it is which meeting it names, so that the first page can be drawn before anything is sent.
 */
export function parseLink(fragment) {
  const text = decodeURIComponentOrNothing(fragment.replace(/^#/, "")).trim();
  const match = /^(.+)\.([1-9A-HJ-NP-Za-km-z]{5}-[1-9A-HJ-NP-Za-km-z]{6}-[1-9A-HJ-NP-Za-km-z]{5}-[1-9A-HJ-NP-Za-km-z]{6})$/.exec(text);
  if (match === null) return null;
  const [, token, code] = match;
  const meeting = meetingOf(token);
  return meeting === null ? null : { token, code, meeting };
}

/** The meeting that a token names, or null if it is no whole token. */
export function meetingOf(token) {
  const [payload, signature, ...rest] = token.split(".");
  if (!payload || !signature || rest.length > 0) return null;
  try {
    const json = JSON.parse(atob(payload.replaceAll("-", "+").replaceAll("_", "/")));
    return Array.isArray(json) && typeof json[0] === "string" ? json[0] : null;
  } catch {
    return null;
  }
}

function decodeURIComponentOrNothing(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    return "";
  }
}
