// The models' plot; the tables below it are drawn by the dashboard.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const target = byId("plot");
  if (!target) return;
  const draw = async () => {
    const separator = target.dataset.plot.includes("?") ? "&" : "?";
    await NetOps.draw(target, await NetOps.get(`${target.dataset.plot}${separator}theme=${NetOps.theme()}`));
    document.body.dataset.drawn = String(performance.now());
  };
  addEventListener("themechange", draw);
  draw();
});
