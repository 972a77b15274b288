// Shared by all pages: live updates, search, keyboard shortcuts and refreshed sections.
"use strict";

const byId = (id) => document.getElementById(id);
const NetOps = {
  theme: () => document.documentElement.dataset.theme,
  reduced: matchMedia("(prefers-reduced-motion: reduce)").matches,
  listeners: [],
  onUpdate(listener) { this.listeners.push(listener); },

  address(path, query = {}) {
    const parameters = Object.entries(query).filter(([, value]) => value !== null && value !== undefined && value !== "");
    return parameters.length ? `${path}?${new URLSearchParams(parameters)}` : path;
  },
  get(path, query) { return this.request(this.address(path, query), {}); },
  post(path, body) {
    return this.request(path, { method: "POST", body: JSON.stringify(body), headers: { "content-type": "application/json" } });
  },
  async request(path, options) {
    const response = await fetch(path, { ...options, headers: { accept: "application/json", ...options.headers } });
    if (response.status === 401) location.assign("/login");
    const body = await response.json();
    if (!response.ok) throw new Error(body.error ?? `${path}: HTTP status ${response.status}`);
    return body;
  },
  text(id, value) {
    const element = byId(id);
    if (element && element.textContent !== String(value)) element.textContent = value;
  },
  element(tag, attributes = {}, ...children) {
    const created = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) if (value !== null) created.setAttribute(name, value);
    created.append(...children.filter((child) => child !== null));
    return created;
  },
  time(ms) { return ms === null || ms === undefined ? "–" : new Date(ms).toISOString().slice(0, 19).replace("T", " "); },
  risk(value) { return value === null || Number.isNaN(value) ? "–" : value.toFixed(3); },
  // A feature as people say it: packet_loss_min_1m is the lowest packet_loss in 1m.
  feature(name) {
    const said = {
      mean: "mean #", min: "lowest #", max: "highest #", std: "spread of #", missing: "missing share of #", slope: "slope of #",
      shift: "mean # above its level", residual: "# above its mean", deviation: "deviation of mean # from its level",
      max_deviation: "deviation of highest # from its level", min_deviation: "deviation of lowest # from its level",
      baseline_deviation: "deviation of mean # from its baseline", baseline_std_ratio: "spread of # relative to its baseline",
      std_ratio: "spread of # relative to its usual spread",
    };
    const found = new RegExp(`^(.+?)_(${Object.keys(said).join("|")})_(\\d+[a-z]+)$`).exec(name);
    if (found) return `${said[found[2]].replace("#", found[1])} in ${found[3]}`;
    const now = /^(.+?)_(baseline_)?deviation$/.exec(name);
    return now ? `deviation of ${now[1]} from its ${now[2] ? "baseline" : "level"}` : name;
  },
  duration(seconds) {
    const minutes = Math.round(seconds / 60);
    return seconds < 90 ? `${Math.round(seconds)} s` : minutes < 90 ? `${minutes} min` : `${(minutes / 60).toFixed(1)} h`;
  },

  // The list of open alerts, as fleet and device pages show it. Existing items are reused, so that the focus is not lost.
  listOpen(open) {
    const list = byId("open");
    if (!list) return;
    const signs = { site: "◆", risk: "▲", silent: "✕" };
    const previous = new Map([...list.children].map((item) => [item.dataset.id, item]));
    open.forEach((alert, index) => {
      const where = [alert.company, alert.data_center].filter(Boolean).join(" · ");
      const about = alert.device ?? where;
      const facts = [
        alert.kind === "site" ? `${alert.devices} devices fail or are stale` : null,
        alert.kind === "silent" ? "no data" : null,
        alert.renewed === null ? null : `renewed ${alert.renewed.slice(11, 19)}`,
        alert.peak === null ? null : `peak ${this.risk(alert.peak)}`,
        alert.reason === null ? null : this.feature(alert.reason),
        alert.silenced ? "maintenance" : null,
      ].filter(Boolean).join(" · ");
      let item = previous.get(alert.id);
      if (!item) {
        const inner = [
          this.element("span", { class: "state", "aria-hidden": "true" }, signs[alert.kind]),
          this.element("span", { class: "about" }, this.element("b", {}, about),
            this.element("time", {}, alert.opened.slice(11, 19)), this.element("small", { class: "facts" }),
            this.element("small", {}, alert.device ? where : alert.data_center ? "data center" : "company")),
        ];
        const href = alert.device
          ? this.address("/device", { device: alert.device })
          : this.address("/fleet", { at: JSON.stringify([alert.company, alert.data_center].slice(0, alert.data_center ? 2 : 1)) });
        const link = this.element("a", { href }, ...inner);
        item = this.element("li", { "data-id": alert.id, class: `${alert.kind}${alert.rolled_up ? " rolled" : ""}` }, link);
      }
      previous.delete(alert.id);
      const line = item.querySelector(".facts");
      if (line.textContent !== facts) line.textContent = facts;
      if (list.children[index] !== item) list.insertBefore(item, list.children[index] ?? null);
    });
    previous.forEach((item) => item.remove());
    byId("open-empty").hidden = open.length > 0;
  },

  // Draw a plot of the server into an element; returns Bokeh's document.
  async draw(target, item) {
    target.replaceChildren();
    item.target_id = null;
    const views = await Bokeh.embed.embed_item(item, target);
    const roots = views.roots ?? views;
    return [...roots][0].model.document;
  },
};

function showUpdate(update) {
  const lost = update.trouble !== "";
  byId("live-state").className = lost ? "live lost" : "live on";
  NetOps.text("live-text", lost ? "✕ no server" : "live");
  const partial = lost || update.missing === "" ? "" : `Not shown, because no process answers for them: ${update.missing}`;
  NetOps.text("trouble", lost ? update.trouble : partial);
  NetOps.text("server", update.server);
  byId("trouble").hidden = !lost && partial === "";
  for (const listener of NetOps.listeners) listener(update);
}

function subscribe() {
  const whole = document.body.dataset.view === "fleet" || byId("open") !== null;
  const source = new EventSource(`/events?whole=${whole}`);
  source.onmessage = (event) => showUpdate(JSON.parse(event.data));
  source.onerror = () => {
    byId("live-state").className = "live lost";
    NetOps.text("live-text", "✕ no dashboard");
  };
  addEventListener("pagehide", () => source.close());
  addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });
}

// Runs and models are rendered by the server: their section of the page is fetched periodically and replaced;
// focus, opened details and scroll positions are restored.
function refresh() {
  const section = byId("live");
  if (!section || !("refresh" in section.dataset)) return;
  let last = null;
  const again = async () => {
    try {
      const response = await fetch(location.href, { headers: { "x-part": "1", accept: "text/html" } });
      const text = await response.text();
      if (response.ok && last !== null && text !== last) replace(section, text);
      if (response.ok) last = text;
    } catch { /* retried below */ }
    setTimeout(again, document.hidden ? 10000 : 2000);
  };
  again();
}

function replace(section, text) {
  const focused = section.contains(document.activeElement) ? document.activeElement.id : "";
  const open = [...section.querySelectorAll("details[open]")].map((details) => details.id);
  const scrolled = [...section.querySelectorAll("[data-scroll]")].map((item) => [item.id, item.scrollTop, item.scrollLeft]);
  section.innerHTML = text; // the dashboard's own template, which escapes all values
  for (const id of open) if (byId(id)) byId(id).open = true;
  for (const [id, top, left] of scrolled) byId(id)?.scrollTo(left, top);
  if (focused) byId(focused)?.focus({ preventScroll: true });
}

function search() {
  const input = byId("find"), list = byId("found");
  let selected = -1, newest = 0, pending = Promise.resolve();
  const close = () => { list.hidden = true; selected = -1; input.setAttribute("aria-expanded", "false"); input.removeAttribute("aria-activedescendant"); };
  const select = (index) => {
    selected = Math.max(0, Math.min(index, list.children.length - 1));
    [...list.children].forEach((item, number) => item.setAttribute("aria-selected", String(number === selected)));
    input.setAttribute("aria-activedescendant", list.children[selected]?.id ?? "");
  };
  input.addEventListener("input", () => { pending = query(); });
  async function query() {
    const number = ++newest;
    if (!input.value.trim()) return close();
    const found = await NetOps.get("/data/find", { text: input.value.trim() });
    if (number !== newest) return;
    list.replaceChildren(...found.map((one, index) => NetOps.element(
      "li", { role: "option", id: `found-${index}`, "data-device": one.device },
      NetOps.element("a", { href: NetOps.address("/device", { device: one.device }), tabindex: "-1" },
        NetOps.element("b", {}, one.device), ` ${one.location}`))));
    list.hidden = found.length === 0;
    input.setAttribute("aria-expanded", String(found.length > 0));
    if (found.length) select(0);
  }
  input.addEventListener("keydown", async (event) => {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      select(selected + (event.key === "ArrowDown" ? 1 : -1));
      event.preventDefault();
    } else if (event.key === "Enter") {
      await pending; // the list may still belong to fewer letters
      if (list.children[selected]) location.assign(NetOps.address("/device", { device: list.children[selected].dataset.device }));
    } else if (event.key === "Escape") {
      close();
      input.blur();
    }
  });
  input.addEventListener("blur", () => setTimeout(close, 200));
}

function toggleTheme() {
  const theme = NetOps.theme() === "dark" ? "light" : "dark";
  try { localStorage.setItem("netops-theme", theme); } catch { /* applies to this page only */ }
  const query = new URLSearchParams(location.search);
  if (query.has("theme")) query.set("theme", theme);
  document.documentElement.dataset.theme = theme;
  history.replaceState(null, "", `${location.pathname}${query.size ? `?${query}` : ""}`);
  dispatchEvent(new Event("themechange"));
}

function keys() {
  byId("theme").addEventListener("click", toggleTheme);
  byId("keys").addEventListener("click", () => byId("help").showModal());
  addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input, textarea, select")) return;
    const view = document.querySelector(`nav [data-key="${CSS.escape(event.key)}"]`);
    if (view) location.assign(view.href);
    else if (event.key === "/") byId("find").focus();
    else if (event.key === "t") toggleTheme();
    else if (event.key === "m") (byId("map") ?? document.querySelector("#dag a"))?.focus();
    else if (event.key === "?") byId("help").showModal();
    else return;
    event.preventDefault();
  });
}

subscribe();
refresh();
search();
keys();
