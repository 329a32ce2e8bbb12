// Renews what changes while somebody looks at the page, and copies commands. A few lines in place of a library (htmx
// makes styles and code in the browser, which the policy of the page forbids): the focus and what is open stay.
"use strict";

const EVERY_MS = 5000;

async function renew() {
  const parts = document.querySelectorAll("[data-live]");
  const selection = document.getSelection();
  if (!parts.length || document.hidden || (selection && !selection.isCollapsed)) return;
  const lost = document.getElementById("lost");
  try {
    const answer = await fetch(location.href, { redirect: "error" });
    if (!answer.ok) throw new Error(String(answer.status));
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of parts) put(part, page.getElementById(part.id));
    document.getElementById("taken").textContent = page.getElementById("taken").textContent;
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
}

function put(old, fresh) {
  if (!fresh) return;
  const focused = old.contains(document.activeElement) ? document.activeElement.id : "";
  for (const known of old.querySelectorAll("details[id]")) {
    const same = fresh.querySelector("#" + CSS.escape(known.id));
    if (same) same.open = known.open;
  }
  old.replaceWith(document.adoptNode(fresh));
  if (focused) document.getElementById(focused)?.focus({ preventScroll: true });
}

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

setInterval(renew, EVERY_MS);
