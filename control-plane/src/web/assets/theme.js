// Before the first paint: the colours that were chosen here last time. The only script that blocks.
(() => {
  try {
    const kept = localStorage.getItem("theme");
    if (kept === "light" || kept === "dark") document.documentElement.dataset.theme = kept;
  } catch { /* storage is closed: the system's colours it is */ }
  document.documentElement.classList.add("js");
})();
