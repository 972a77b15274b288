// The heat map: drawn by Bokeh, recoloured with each update; usable with keyboard and mouse.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const map = byId("map"), locations = byId("locations"), narrow = matchMedia("(max-width: 700px)");
  let models = null, version = -1, first = 0, drawing = false, latest = null, cursor = -1, at = currentLocation();
  const name = (wanted) => models.get_model_by_name(wanted);

  // The displayed location: [] for the whole fleet, [company], or [company, data center].
  function currentLocation() {
    try { return JSON.parse(new URLSearchParams(location.search).get("at") ?? "[]"); } catch { return []; }
  }

  // Drawings are sequential; of several pending ones, only the last is drawn.
  let queue = Promise.resolve(), newest = 0;
  function draw() {
    const mine = ++newest;
    drawing = true;
    queue = queue.then(async () => {
      if (mine !== newest) return;
      try {
        await drawNow();
      } finally {
        drawing = mine !== newest;
      }
      if (latest) show(latest);
      document.body.dataset.drawn = String(performance.now());
    }).catch(() => { version = -1; }); // retried with the next update
  }

  async function drawNow() {
    const view = { theme: NetOps.theme(), at: JSON.stringify(at), narrow: narrow.matches };
    const response = await NetOps.get("/plots/fleet", view);
    models = await NetOps.draw(byId("plot"), response.item);
    [version, first, cursor] = [response.version, response.first, -1];
    offer(response.sites);
    name("cells").selected.properties.indices.change.connect(() => {
      const [chosen] = name("cells").selected.indices;
      if (chosen !== undefined) open(chosen);
    });
    name("fleet").on_event("tap", ({ x, y }) => enter(x, y));
  }

  // The list of all companies and data centers, to go to one of them.
  function offer(sites) {
    const sizes = new Map();
    let all = 0;
    for (const [company, , devices] of sites) {
      sizes.set(company, (sizes.get(company) ?? 0) + devices);
      all += devices;
    }
    const options = [["[]", `All ${all.toLocaleString("en")} devices`]];
    let above = null;
    for (const [company, center, devices] of sites) {
      if (company !== above) options.push([JSON.stringify([company]), `${company || "elsewhere"} (${sizes.get(company)})`]);
      if (center) options.push([JSON.stringify([company, center]), `\u00a0\u00a0\u00a0${center} (${devices})`]);
      above = company;
    }
    locations.replaceChildren(...options.map(([value, text]) => NetOps.element("option", { value }, text)));
    locations.value = JSON.stringify(at);
    byId("up").disabled = at.length === 0;
  }

  function go(where) {
    at = where;
    history.pushState(null, "", NetOps.address("/fleet", { at: at.length ? JSON.stringify(at) : null }));
    draw();
  }

  const up = () => { if (at.length) go(at.slice(0, -1)); };

  // A click on the name of a data center, or of a company above it.
  function enter(x, y) {
    const { at: whole, x: lefts, y: labels, top, width } = name("blocks").data;
    const index = [...lefts].findIndex((left, i) => x >= left && x < left + width[i] && y >= top[i] && y < 2 * labels[i] - top[i]);
    if (index < 0 || y > labels[index] + (labels[index] - top[index]) / 3) return;
    go(y < (top[index] + labels[index]) / 2 ? whole[index].slice(0, 1) : whole[index]);
  }

  // The lower range of the palette is below the threshold, the upper one above it, for any threshold.
  function levels(risks, threshold) {
    const found = new Float32Array(risks.length);
    const above = Math.max(1 - threshold, 1e-9);
    for (let i = 0; i < risks.length; i++) {
      const risk = risks[i];
      found[i] = risk < threshold ? (0.78 * risk) / threshold : Math.min(1, 0.88 + (0.12 * (risk - threshold)) / above);
      if (Number.isNaN(risk)) found[i] = NaN;
    }
    return found;
  }

  function describe(risk, status) {
    const words = [];
    if (status & 1) words.push("▲ alert open");
    if (status & 2) words.push("✕ silent");
    if (status & 4) words.push("its clock runs ahead");
    words.push(Number.isNaN(risk) ? "not scored" : `risk ${risk.toFixed(3)}`);
    return words.join(", ");
  }

  const bytes = (text) => Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));

  function show(update) {
    latest = update;
    const since = performance.now();
    NetOps.text("n-devices", update.devices.toLocaleString("en"));
    NetOps.text("n-alerts", update.alerts.toLocaleString("en"));
    NetOps.text("n-sites", update.sites.toLocaleString("en"));
    NetOps.text("n-silent", update.silent.toLocaleString("en"));
    NetOps.text("n-time", NetOps.time(update.time));
    NetOps.text("n-model", update.model ?? "–");
    NetOps.text("n-network", update.network ?? "–");
    NetOps.text("threshold", update.threshold === null ? "" : `an alert opens at ${update.threshold.toFixed(3)}`);
    const open = update.open.filter((alert) => at.every((name, level) => name === [alert.company, alert.data_center][level]));
    const total = update.alerts + update.sites + update.silent;
    NetOps.text("open-count", at.length ? `${open.length} here` : total > open.length ? `first ${open.length} of ${total}` : `${total}`);
    NetOps.listOpen(open);
    byId("map-empty").hidden = update.devices > 0;
    for (const id of ["map-tools", "map-legend"]) byId(id).hidden = update.devices === 0;
    if (drawing) return;
    if (update.devices > 0 && update.version !== version) {
      draw();
      return;
    }
    if (!models) return;
    const devices = name("cells").data.x.length;
    const risks = new Float32Array(bytes(update.risk).buffer, 4 * first, devices);
    colour(risks, bytes(update.status).subarray(first, first + devices), update.threshold ?? 1);
    if (cursor >= 0) announce();
    document.body.dataset.updates = String(Number(document.body.dataset.updates ?? 0) + 1);
    document.body.dataset.milliseconds = (performance.now() - since).toFixed(1);
  }

  function colour(risks, status, threshold) {
    const cells = name("cells"), data = cells.data;
    const state = new Array(risks.length);
    const marked = { alerting: [], silent: [] };
    for (let i = 0; i < risks.length; i++) {
      state[i] = describe(risks[i], status[i]);
      if (status[i] & 1) marked.alerting.push(i);
      if (status[i] & 2) marked.silent.push(i);
    }
    cells.data = { ...data, level: levels(risks, threshold), state };
    for (const [which, indices] of Object.entries(marked)) {
      name(which).data = { x: indices.map((i) => data.x[i]), y: indices.map((i) => data.y[i]) };
    }
    caption(status);
    sizeMarks();
  }

  // A mark is never larger than its cell, and never too small to be seen.
  function sizeMarks() {
    const plot = name("fleet");
    const cell = plot.inner_width / (plot.x_range.end - plot.x_range.start);
    const size = Math.max(6, Math.min(16, 0.5 * cell));
    for (const [which, factor] of [["triangles", 1], ["crosses", 0.9]]) name(which).glyph.size = { value: size * factor };
    // Frames would hide small cells; the signs suffice there.
    for (const which of ["frames-alerting", "frames-silent"]) name(which).visible = cell >= 10;
  }

  // Under each site's name: how many of its devices alert or are silent.
  function caption(status) {
    const blocks = name("blocks"), { name: names, devices, width } = blocks.data;
    const plot = name("fleet"), cell = plot.inner_width / (plot.x_range.end - plot.x_range.start);
    let first = 0;
    const text = [...names].map((site, index) => {
      let alerting = 0, silent = 0;
      for (let i = first; i < first + devices[index]; i++) {
        alerting += status[i] & 1;
        silent += (status[i] >> 1) & 1;
      }
      first += devices[index];
      const counts = `${alerting ? ` ▲${alerting}` : ""}${silent ? ` ✕${silent}` : ""}`;
      const room = Math.max(4, Math.floor((width[index] * cell) / 6.4) - counts.length);
      return shorten(site, room) + counts;
    });
    write(blocks, text);
    const titles = name("titles"), { company, width: rooms } = titles.data;
    write(titles, [...company].map((one, index) => shorten(one, Math.max(4, Math.floor((rooms[index] * cell) / 8)))));
  }

  function write(source, text) {
    if (text.some((line, index) => line !== source.data.text[index])) source.data = { ...source.data, text };
  }

  // Similar names often differ at their end, so the end is shown too.
  function shorten(text, room) {
    if (text.length <= room) return text;
    const end = Math.floor((room - 1) * 0.4);
    return `${text.slice(0, room - 1 - end)}…${end ? text.slice(-end) : ""}`;
  }

  function open(index) {
    location.assign(NetOps.address("/device", { device: name("cells").data.name[index] }));
  }

  function announce() {
    const { name: names, location: sites, state } = name("cells").data;
    NetOps.text("announcement", `${names[cursor]} – ${sites[cursor]} – ${state[cursor]}`);
  }

  function moveTo(index) {
    const { x, y } = name("cells").data;
    if (index < 0 || index >= x.length) return;
    cursor = index;
    name("cursor").data = { x: [x[index]], y: [y[index]] };
    announce();
  }

  // The nearest cell in a direction; the distance perpendicular to it counts double.
  function nearest(dx, dy) {
    const { x, y } = name("cells").data;
    let best = -1, minimum = Infinity;
    for (let i = 0; i < x.length; i++) {
      const ahead = (x[i] - x[cursor]) * dx + (y[i] - y[cursor]) * dy;
      if (ahead < 0.5) continue;
      const aside = Math.abs((x[i] - x[cursor]) * dy) + Math.abs((y[i] - y[cursor]) * dx);
      if (ahead + 2 * aside < minimum) [best, minimum] = [i, ahead + 2 * aside];
    }
    return best;
  }

  function alerting(step) {
    const status = bytes(latest.status).subarray(first, first + name("cells").data.x.length);
    for (let k = 1; k <= status.length; k++) {
      const index = (((cursor + step * k) % status.length) + status.length) % status.length;
      if (status[index] & 1) return index;
    }
    return -1;
  }

  const arrows = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
  map.addEventListener("keydown", (event) => {
    if (event.key === "Escape") up();
    else if (!models || drawing) return;
    else if (event.key in arrows) moveTo(cursor < 0 ? 0 : nearest(...arrows[event.key]));
    else if (event.key === "Home") moveTo(0);
    else if (event.key === "End") moveTo(name("cells").data.x.length - 1);
    else if (event.key === "n" || event.key === "p") moveTo(alerting(event.key === "n" ? 1 : -1));
    else if (event.key === "Enter" && cursor >= 0) open(cursor);
    else return;
    event.preventDefault();
    event.stopPropagation();
  });
  map.addEventListener("focus", () => { if (models && cursor < 0 && map.matches(":focus-visible")) moveTo(0); });
  locations.addEventListener("change", () => go(JSON.parse(locations.value)));
  byId("up").addEventListener("click", up);
  addEventListener("popstate", () => { at = currentLocation(); draw(); });
  addEventListener("themechange", draw);
  narrow.addEventListener("change", draw);
  addEventListener("resize", () => { if (models && latest) show(latest); });
  NetOps.onUpdate(show);
  if (map.dataset.devices !== "0") draw();
});
