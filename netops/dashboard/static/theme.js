// Runs before the page is drawn, so that it never flashes in the wrong theme.
// Precedence: the URL (?theme=dark), the last choice, the preference of the system.
(() => {
  const requested = new URLSearchParams(location.search).get("theme");
  let stored = null;
  try { stored = localStorage.getItem("netops-theme"); } catch { /* storage is disabled */ }
  const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const theme = [requested, stored].find((name) => name === "dark" || name === "light") ?? preferred;
  document.documentElement.dataset.theme = theme;
})();
