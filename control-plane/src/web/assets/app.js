// What every page does beyond HTML: colours, messages, times that age, buttons that show work, charts.
// A chart is <div class="chart" data-chart data-labels='["00",…]' data-values='[1,…]' data-currency="GBP"
// data-exponent="2" (or no data-currency: plain counts) data-kind="bars|line" data-before='[1,…]' (what it is compared
// with, as a line)></div>; needs uplot on the page. <button data-copy="id" hidden> copies a field.
(() => {
  "use strict";
  const root = document.documentElement;
  const dark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  document.addEventListener("click", (event) => {
    const toggle = event.target.closest("[data-theme-toggle]");
    if (toggle) {
      root.dataset.theme = dark() ? "light" : "dark";
      try { localStorage.setItem("theme", root.dataset.theme); } catch { /* not kept, still switched */ }
      drawAll();
    }
    event.target.closest("[data-dismiss]")?.closest(".toast")?.remove();
    const show = event.target.closest("[data-show]");
    if (show) { const field = document.getElementById(show.dataset.show), hidden = field.type === "password"; field.type = hidden ? "text" : "password"; show.textContent = hidden ? "Hide" : "Show"; show.setAttribute("aria-pressed", String(hidden)); field.focus(); }
    const copy = event.target.closest("[data-copy]");
    if (copy) navigator.clipboard.writeText(document.getElementById(copy.dataset.copy).value).then(() => { const said = copy.textContent; copy.textContent = "Copied"; setTimeout(() => { copy.textContent = said; }, 1500); });
    for (const menu of document.querySelectorAll("details.menu[open], details.pick[open]")) if (!menu.contains(event.target)) menu.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key === "Escape") for (const menu of document.querySelectorAll("details.menu[open], details.pick[open]")) { menu.open = false; menu.querySelector("summary").focus(); }
    if (event.key === "/" && !event.target.closest("input, textarea, select")) {
      const search = document.querySelector("[data-search]");
      if (search) { event.preventDefault(); search.focus(); }
    }
  });
  document.addEventListener("submit", (event) => {
    const button = event.submitter || event.target.querySelector("button[type=submit]");
    if (button?.hasAttribute("data-busy")) { button.dataset.working = ""; button.setAttribute("aria-disabled", "true"); }
    if (event.target.dataset.sent) event.preventDefault();
    else if (event.target.method === "post") event.target.dataset.sent = "1";
  });
  document.addEventListener("change", (event) => { if (event.target.hasAttribute("data-auto-submit")) event.target.form.requestSubmit(); });
  // Back from another page: a form that was sent may be sent again.
  addEventListener("pageshow", () => { for (const form of document.querySelectorAll("form[data-sent]")) { delete form.dataset.sent; for (const b of form.querySelectorAll("[data-working]")) { delete b.dataset.working; b.removeAttribute("aria-disabled"); } } });
  for (const toast of document.querySelectorAll(".toast.ok")) setTimeout(() => toast.remove(), 7000);

  for (const show of document.querySelectorAll("[data-show]")) { const field = document.getElementById(show.dataset.show); show.hidden = false; show.setAttribute("aria-label", `Show or hide: ${field.labels[0]?.textContent || "the password"}`); field.form?.addEventListener("submit", () => { field.type = "password"; }); }
  if (navigator.clipboard) for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;

  const ago = (seconds) => seconds < 45 ? "just now" : seconds < 3600 ? `${Math.round(seconds / 60)}\u00a0min ago`
    : seconds < 86400 ? `${Math.floor(seconds / 3600)}\u00a0h ago` : seconds < 172800 ? "yesterday" : `${Math.floor(seconds / 86400)} days ago`;
  // The server's clock, not this machine's: the difference is taken once.
  const skew = Date.now() - Date.parse(document.querySelector("[data-now]")?.dataset.now || new Date().toISOString());
  const age = () => { for (const time of document.querySelectorAll("time[data-ago]")) { const text = ago((Date.now() - skew - Date.parse(time.dateTime)) / 1000); if (time.textContent !== text) time.textContent = text; } };
  setInterval(age, 20000);

  const css = (name) => getComputedStyle(root).getPropertyValue(name).trim();
  function formatter(box) {
    const currency = box.dataset.currency, exponent = Number(box.dataset.exponent ?? 2);
    if (!currency) return { full: (v) => v.toLocaleString("en-GB"), short: (v) => v.toLocaleString("en-GB", { notation: "compact" }) };
    const make = (options) => { const f = new Intl.NumberFormat("en-GB", { style: "currency", currency, currencyDisplay: "narrowSymbol", ...options }); return (v) => f.format(v / 10 ** exponent); };
    return { full: make({}), short: make({ notation: "compact", minimumFractionDigits: 0, maximumFractionDigits: 1 }) };
  }
  function draw(box) {
    if (!window.uPlot) return;
    const labels = JSON.parse(box.dataset.labels), values = JSON.parse(box.dataset.values), text = formatter(box);
    const before = box.dataset.before && JSON.parse(box.dataset.before);
    box._plot?.destroy(); box.querySelector(".chart-tip")?.remove();
    const colour = css("--chart-1"), faint = css("--chart-text"), grid = css("--chart-grid"), font = `12px ${css("--font")}`;
    const bars = (box.dataset.kind || "bars") === "bars";
    const width = box.clientWidth, every = Math.max(1, Math.ceil(labels.length / Math.max(2, Math.floor(width / 52))));
    const tip = document.createElement("div"); tip.className = "chart-tip"; tip.hidden = true;
    const options = {
      width, height: box.clientHeight || 200, padding: [12, 8, 0, 0], legend: { show: false },
      cursor: { y: false, points: { show: !bars }, drag: { x: false, y: false } },
      scales: { x: { time: false, range: [-0.6, labels.length - 0.4] }, y: { range: (u, min, max) => [Math.min(0, min), Math.max(max, 1) * 1.08] } },
      axes: [
        { stroke: faint, font, grid: { show: false }, ticks: { show: false }, splits: () => labels.map((_, i) => i).filter((i) => i % every === 0), values: (u, at) => at.map((i) => labels[i] ?? ""), size: 28 },
        { stroke: faint, font, grid: { stroke: grid, width: 1 }, ticks: { show: false }, values: (u, at) => at.map((v) => text.short(v)), size: 62, space: 44 },
      ],
      series: [{}, bars
        ? { fill: colour, stroke: colour, width: 0, paths: uPlot.paths.bars({ size: [0.66, 42], radius: 0.22 }), points: { show: false } }
        : { stroke: colour, width: 2, fill: `color-mix(in srgb, ${colour} 14%, transparent)`, points: { show: labels.length < 40, size: 5, fill: colour } },
        ...(before ? [{ stroke: faint, width: 1.5, dash: [4, 3], points: { show: labels.length < 40, size: 5, fill: css("--surface") } }] : [])],
      hooks: { setCursor: [(u) => {
        const i = u.cursor.idx;
        if (i == null || u.cursor.left < 0) { tip.hidden = true; return; }
        tip.textContent = `${labels[i]}${box.dataset.suffix || ""}  ${text.full(values[i] ?? 0)}${before ? ` (before: ${text.full(before[i] ?? 0)})` : ""}`; tip.hidden = false;
        const left = u.valToPos(i, "x") + u.bbox.left / devicePixelRatio;
        tip.style.left = `${Math.min(Math.max(left, 60), width - 60)}px`; tip.style.top = `${Math.max(u.valToPos(values[i] ?? 0, "y") + u.bbox.top / devicePixelRatio, 30)}px`;
      }] },
    };
    box._plot = new uPlot(options, [labels.map((_, i) => i), values, ...(before ? [before] : [])], box);
    box.append(tip);
  }
  function drawAll() { for (const box of document.querySelectorAll("[data-chart]")) draw(box); }
  let frame;
  addEventListener("resize", () => { cancelAnimationFrame(frame); frame = requestAnimationFrame(drawAll); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  // Deferred scripts of the page (uplot) come after this one.
  addEventListener("DOMContentLoaded", drawAll);
  window.tillway = { draw, age };
})();
