// Runs before the page is drawn, so that it never flashes in the wrong theme.
// The address decides (?theme=dark), else what was chosen last, else what the system prefers.
(() => {
  const asked = new URLSearchParams(location.search).get("theme");
  let kept = null;
  try { kept = localStorage.getItem("netops-theme"); } catch { /* a browser that keeps nothing */ }
  const preferred = matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light";
  const theme = [asked, kept].find((name) => name === "dark" || name === "light") ?? preferred;
  document.documentElement.dataset.theme = theme;
})();
