// What htmx and Idiomorph, which renew the page, have to leave as it is, and the buttons that copy commands.
"use strict";

// The plots are drawn here, and what somebody has opened, chosen or typed stays.
Idiomorph.defaults.ignoreActiveValue = true;
Idiomorph.defaults.callbacks.beforeNodeMorphed = (old, fresh) => !isKept(old) || old.id !== fresh.id;
Idiomorph.defaults.callbacks.beforeAttributeUpdated = (name, element) => name !== "open" || element.tagName !== "DETAILS";

function isKept(node) {
  return node instanceof Element && node.matches("[data-kept]");
}

let focused = null;

// A page that nobody sees is not renewed.
document.addEventListener("htmx:beforeRequest", (event) => {
  if (document.hidden) event.preventDefault();
});
document.addEventListener("htmx:beforeSwap", (event) => {
  // Somebody has chosen something since the page was asked for: the next answer knows it.
  const asked = event.detail.pathInfo.responsePath || event.detail.pathInfo.requestPath;
  if (new URL(asked, location.href).href !== location.href.split("#")[0]) event.detail.shouldSwap = false;
  focused = document.activeElement;
});
document.addEventListener("htmx:afterSettle", () => {
  // A row that has moved to another place has lost the focus.
  if (focused && focused.isConnected && document.activeElement === document.body) focused.focus({ preventScroll: true });
});
document.addEventListener("htmx:afterRequest", (event) => {
  document.getElementById("lost").hidden = event.detail.successful;
});

document.addEventListener("click", async (event) => {
  const button = event.target.closest("button[data-copy]");
  if (!button) return;
  const text = button.parentElement.querySelector("pre").textContent;
  try {
    await navigator.clipboard.writeText(text);
    button.textContent = "copied";
  } catch {
    document.getSelection().selectAllChildren(button.parentElement.querySelector("pre"));
    button.textContent = "selected";
  }
});
