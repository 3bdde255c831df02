// "Check my vote": a receipt code after '#' goes into the field, so that it is in no address that a server keeps.

const code = decodeURIComponent(location.hash.slice(1));
if (/^[A-Za-z0-9+/]{43}$/.test(code)) {
  document.getElementById("code").value = code;
  history.replaceState(null, "", location.pathname);
}
