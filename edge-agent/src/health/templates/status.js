// Keeps the page fresh without touching the form a person may be using, and counts a pairing code down.
"use strict";
const live = ["top", "office", "records", "lanes", "devices", "doors", "node", "remarks"];
const lost = document.getElementById("lost");
async function refresh() {
  try {
    const answer = await fetch("/", { cache: "no-store", signal: AbortSignal.timeout(5000) });
    if (!answer.ok) throw new Error(answer.statusText);
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const id of live) {
      const [old, now] = [document.getElementById(id), fresh.getElementById(id)];
      if (old && now && old.outerHTML !== now.outerHTML) old.replaceWith(document.adoptNode(now));
    }
    document.title = fresh.title;
    lost.hidden = true;
  } catch {
    lost.hidden = false;
  }
  document.body.classList.toggle("old", !lost.hidden);
  setTimeout(refresh, document.hidden ? 15000 : 3000);
}
if (lost) setTimeout(refresh, 3000);

const left = document.getElementById("left");
function countDown() {
  const seconds = Math.max(0, Math.round((Number(left.dataset.ends) - Date.now()) / 1000));
  const two = (n) => String(n).padStart(2, "0");
  left.textContent = seconds ? `${Math.floor(seconds / 60)}:${two(seconds % 60)} left` : "over: make a new one";
  document.body.classList.toggle("over", seconds === 0);
}
if (left) { countDown(); setInterval(countDown, 1000); }
