// Puts the code of a mailed sign-in link into the form and takes it out of the address bar. Nothing is sent: a press does that.
const code = decodeURIComponent(location.hash.slice(1));
const field = document.getElementById("code");
if (code && field) {
  field.value = code;
  history.replaceState(null, "", location.pathname);
  for (const note of document.querySelectorAll("[data-when-filled]")) note.hidden = false;
  for (const note of document.querySelectorAll("[data-when-empty]")) note.hidden = true;
}
