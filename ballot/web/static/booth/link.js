// The mailed link's secret part, everything after '#': `<token>.<code>`.

/**
 * Token, code and meeting from a fragment; null when the link was cut short. The token's signature is the service's to
 * check; all we read from it is which meeting it names, so that the first page can be drawn before anything is sent.
 */
export function parseLink(fragment) {
  const text = decodeURIComponentOrNothing(fragment.replace(/^#/, "")).trim();
  const at = text.lastIndexOf(".");
  const [token, code] = [text.slice(0, at), text.slice(at + 1)];
  if (!/^\w{5}-\w{6}-\w{5}-\w{6}$/.test(code)) return null;
  const meeting = meetingOf(token);
  return meeting && { token, code, meeting };
}

/** The token of a link that has no code, as on a paper card, whose code stands on another sheet; null if there is none. */
export function parseHalf(fragment) {
  const token = decodeURIComponentOrNothing(fragment.replace(/^#/, "")).trim();
  return meetingOf(token) === null ? null : token;
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
