/**
 * The pages' only script: refreshes the main part in place while the page is looked at, and copies
 * commands. Everything it does can be done without it by reloading and selecting.
 */

export const SCRIPT = `
"use strict";
const PERIOD_MS = 2000;
const live = document.querySelector(".live");
let on = true, timer = 0;
function schedule() {
  clearTimeout(timer);
  if (on && !document.hidden) timer = setTimeout(refresh, PERIOD_MS);
}
async function refresh() {
  try {
    const response = await fetch(location.href, { headers: { accept: "text/html" }, cache: "no-store" });
    if (!response.ok) throw new Error(String(response.status));
    const next = new DOMParser().parseFromString(await response.text(), "text/html");
    replaceParts(next);
    say("Live");
  } catch {
    say("Not connected");
  }
  schedule();
}
function replaceParts(next) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const fresh = next.getElementById(part.id);
    // A part somebody tabs or selects in stays as it is until they leave it.
    const busy = part.contains(document.activeElement) || selecting(part);
    if (fresh && !busy && fresh.innerHTML !== part.innerHTML) part.replaceWith(document.adoptNode(fresh));
  }
}
function selecting(part) {
  const selection = getSelection();
  return selection !== null && !selection.isCollapsed && part.contains(selection.anchorNode);
}
function say(text) {
  if (live && live.textContent !== text) live.textContent = text;
}
if (live) {
  live.hidden = false;
  live.addEventListener("click", () => {
    on = !on;
    live.setAttribute("aria-pressed", String(on));
    say(on ? "Live" : "Paused");
    if (on) refresh(); else clearTimeout(timer);
  });
  document.addEventListener("visibilitychange", schedule);
  schedule();
}
for (const run of document.querySelectorAll(".run")) {
  const button = document.createElement("button");
  button.type = "button"; button.className = "copy"; button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(run.querySelector("code").textContent);
    button.textContent = "Copied";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
  run.append(button);
}
`;
