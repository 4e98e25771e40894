// Keeps the live page true: takes the stream's changes in, says so when the line is lost, and comes back by itself.
(() => {
  "use strict";
  const body = document.querySelector("[data-live-rows]");
  if (!body) return;
  const one = (name) => document.querySelector(`[data-live-${name}]`);
  const figures = one("figures"), state = one("state"), words = one("words"), lost = one("lost"), say = one("say"), chart = one("chart");
  let last = body.dataset.id, source, since, spoken = 0, tries = 0, heard = Date.now();

  const show = (name, text) => { state.dataset.state = name; words.textContent = text; };
  const up = () => { heard = Date.now(); tries = 0; clearTimeout(since); since = 0; lost.hidden = true; show("live", "Live"); };
  // A short break is no news: a reload of head office takes a second or two.
  const down = () => { show("lost", "Reconnecting"); since ||= setTimeout(() => { lost.hidden = false; }, 4000); };

  function row(html) { const box = document.createElement("template"); box.innerHTML = html; return box.content.firstElementChild; }

  function take(change) {
    figures.innerHTML = change.figures;
    const there = new Map([...body.children].map((tr) => [tr.dataset.key, tr]));
    const first = there.size === 0;
    // Those that fell off the end go first: then no row that stays is moved, and none loses the focus.
    const wanted = new Set(change.order);
    for (const [key, tr] of there) if (!wanted.has(key)) { tr.remove(); there.delete(key); }
    let before = null;
    for (const key of [...change.order].reverse()) {
      let tr = there.get(key);
      if (!tr && change.rows[key]) { tr = row(change.rows[key]); if (!first) tr.classList.add("fresh"); }
      if (!tr) continue;
      if (tr.nextElementSibling !== before || tr.parentNode !== body) body.insertBefore(tr, before);
      before = tr;
    }
    if (body.children.length) { one("table").hidden = false; one("empty")?.remove(); }
    if (chart && change.hours) { chart.dataset.values = JSON.stringify(change.hours); tillway.draw(chart); }
    // A page without a chart gets one with its first sale.
    if (!chart && change.hours) location.reload();
    if (change.say && Date.now() - spoken > 5000) { say.textContent = change.say; spoken = Date.now(); }
    tillway.age();
  }

  function open() {
    source?.close();
    source = new EventSource(`${body.dataset.stream}&last=${encodeURIComponent(last)}`);
    source.onopen = up;
    source.addEventListener("change", (event) => { up(); last = event.lastEventId; take(JSON.parse(event.data)); });
    source.onerror = () => {
      down();
      if (source.readyState !== EventSource.CLOSED) return;
      // Refused, not broken: ask the page itself. An ended session leads to the sign-in, a busy head office to patience.
      tries += 1;
      setTimeout(async () => {
        try {
          const answer = await fetch(location.href, { redirect: "manual", headers: { accept: "text/html" } });
          if (answer.type === "opaqueredirect") location.reload(); else open();
        } catch { open(); }
      }, Math.min(2000 * 2 ** Math.min(tries, 4), 30000) * (0.5 + Math.random() / 2));
    };
  }
  addEventListener("offline", down);
  addEventListener("online", open);
  addEventListener("pagehide", () => source?.close());
  addEventListener("pageshow", (event) => { if (event.persisted) open(); });
  open();
})();
