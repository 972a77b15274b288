// One device: its risk and its metrics over time, its alerts and their reasons.
"use strict";

addEventListener("DOMContentLoaded", () => {
  const page = byId("device");
  NetOps.onUpdate((update) => { if (update.open) NetOps.listOpen(update.open); });
  if (!page) return;
  const device = page.dataset.device;
  const MAX_METRICS = 8, FAR = 8.64e15;
  let models = null, metrics = [], loading = false, shown = null;
  const name = (wanted) => models.get_model_by_name(wanted);

  async function draw(state) {
    const requested = page.dataset.metrics.split(",").filter((one) => state.metrics.includes(one));
    metrics = requested.length ? requested : state.metrics.slice(0, MAX_METRICS);
    const item = await NetOps.get("/plots/device", { metrics: JSON.stringify(metrics), theme: NetOps.theme() });
    models = await NetOps.draw(byId("plot"), item);
    offerMore(state.metrics);
  }

  function offerMore(every) {
    const others = every.filter((one) => !metrics.includes(one));
    const links = others.slice(0, 40).flatMap((one) => [NetOps.element(
      "a", { href: NetOps.address("/device", { device, metrics: [...metrics.slice(0, MAX_METRICS - 1), one].join(",") }) }, one), " "]);
    byId("d-more").replaceChildren(...(others.length ? ["More metrics: ", ...links] : []));
  }

  function describe(state) {
    const site = [state.company, state.data_center];
    const levels = site.map((name, level) => [name, site.slice(0, level + 1)]).filter(([name]) => name);
    byId("d-location").replaceChildren(...levels.flatMap(([name, at]) => [
      "› ", NetOps.element("a", { href: NetOps.address("/fleet", { at: JSON.stringify(at) }) }, name), " "]));
    const sign = state.alerting ? "▲" : state.state.startsWith("silent") ? "✕" : state.state === "healthy" ? "✓" : "○";
    NetOps.text("d-state", `${sign} ${state.state}`);
    byId("d-state").className = `badge${state.alerting ? " solid" : ""}`;
    NetOps.text("d-risk", NetOps.risk(state.risk));
    NetOps.text("d-threshold", NetOps.risk(state.threshold));
    NetOps.text("d-horizon", NetOps.duration(state.horizon));
    NetOps.text("d-last", NetOps.time(state.last));
    NetOps.text("d-model", state.model);
  }

  function plot(state) {
    const numbers = (values) => values.map((value) => value ?? NaN);
    const samples = { time: state.samples.times };
    metrics.forEach((metric, index) => { samples[`m${index}`] = numbers(state.samples.values[metric] ?? []); });
    name("samples").data = samples;
    metrics.forEach((_, index) => fit(name(`plot${index + 1}`).y_range, samples[`m${index}`]));
    name("risks").data = { time: state.risks.times, risk: numbers(state.risks.values) };
    name("threshold").location = Math.min(1, state.threshold);
    const drawn = state.alerts.filter((alert) => alert.kind === "risk");
    name("alerts").data = {
      left: drawn.map((alert) => Date.parse(alert.opened)),
      right: drawn.map((alert) => (alert.ended ? Date.parse(alert.ended) : state.now)),
      about: drawn.map((alert) => alert.id),
    };
    // All strips share one time axis, from the oldest sample to now.
    const range = name("plot0").x_range, first = state.samples.times[0] ?? state.now;
    if (range.start !== first || range.end !== state.now) range.setv({ start: first, end: Math.max(state.now, first + 1000) });
  }

  // The axis holds all values, with a little room; it moves only when it has to.
  function fit(range, values) {
    let low = Infinity, high = -Infinity;
    for (const value of values) {
      if (value < low) low = value;
      if (value > high) high = value;
    }
    if (low > high) return;
    const room = 0.06 * (high - low) || 1;
    if (range.start !== low - room || range.end !== high + room) range.setv({ start: low - room, end: high + room });
  }

  function reasons(state) {
    const alert = state.alerts.find((one) => one.reasons.length > 0);
    byId("d-no-reasons").hidden = alert !== undefined;
    if (!alert) return;
    NetOps.text("d-when", `of the alert of ${alert.opened.slice(11, 19)}`);
    const most = Math.max(...alert.reasons.map((reason) => Math.abs(reason.contribution)), 1e-9);
    byId("d-reasons").replaceChildren(...alert.reasons.map((reason) => {
      const bar = NetOps.element("i", {});
      bar.style.width = `${(100 * Math.abs(reason.contribution)) / most}%`;
      const raises = reason.contribution >= 0;
      return NetOps.element("div", { class: "reason" },
        NetOps.element("b", { title: reason.feature }, reason.text || NetOps.feature(reason.feature)),
        NetOps.element("span", {}, raises ? "▲ raises the risk" : "▼ lowers the risk"),
        NetOps.element("span", { class: "number", title: "contribution" }, `${raises ? "+" : "−"}${Math.abs(reason.contribution).toFixed(2)}`),
        NetOps.element("span", { class: `bar${raises ? "" : " low"}`, "aria-hidden": "true" }, bar));
    }));
  }

  function alerts(state) {
    byId("d-no-alerts").hidden = state.alerts.length > 0;
    const focused = byId("d-alerts").contains(document.activeElement) ? document.activeElement.id : "";
    byId("d-alerts").replaceChildren(...state.alerts.map(line));
    if (focused) byId(focused)?.focus({ preventScroll: true });
  }

  function line(alert) {
    const words = { risk: "▲ alert", silent: "✕ silent", site: "◆ data center" };
    const end = alert.ended ? `to ${alert.ended.slice(11, 19)}` : "still open";
    const renewed = (alert.renewed ?? []).at(-1);
    const facts = [renewed === undefined ? null : `renewed ${renewed.slice(11, 19)}`, alert.peak === null ? null : `highest risk ${NetOps.risk(alert.peak)}`,
      alert.silenced ? "in maintenance" : null, alert.rolled_up ? "part of a data center's alert" : null].filter(Boolean).join(" · ");
    return NetOps.element("li", { class: alert.ended ? "ended" : "" }, NetOps.element("div", { class: "line" },
      NetOps.element("span", {}, NetOps.element("b", {}, words[alert.kind]), ` ${alert.opened.slice(0, 19).replace("T", " ")} ${end}`,
        NetOps.element("br"), NetOps.element("small", {}, facts), alert.kind === "silent" ? null : feedback(alert))));
  }

  // Feedback of operators on an alert; it is used in the next training.
  const VERDICTS = [["confirmed", "Failing", "it was about to fail, or failed"], ["repaired", "Repaired", "it was about to fail and was repaired in time"],
    ["dismissed", "False alarm", "the device was healthy"]];
  function feedback(alert) {
    const buttons = VERDICTS.map(([verdict, text, title]) => {
      const button = NetOps.element("button", { id: `${verdict}-${alert.id}`, type: "button", title,
        "aria-pressed": String(alert.verdict === verdict) }, `${alert.verdict === verdict ? "✓ " : ""}${text}`);
      button.addEventListener("click", () => record(alert.id, verdict));
      return button;
    });
    return NetOps.element("div", { class: "verdicts", role: "group", "aria-label": "Feedback" }, ...buttons);
  }

  async function record(alert, verdict) {
    try {
      await NetOps.post("/data/verdict", { alert, verdict });
      NetOps.text("d-message", "");
      await refreshState();
    } catch (error) {
      NetOps.text("d-message", `✕ ${error.message}`);
    }
  }

  // Log messages: all of them are drawn, those that the search finds are listed.
  const LEVELS = { debug: 0, info: 0, notice: 1, warning: 2, error: 3, critical: 4, alert: 4, emergency: 4, unknown: 0 }, LISTED = 100;
  const SEVERITIES = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
  let messages = null, listed = null;
  const search = byId("d-log-search");
  search.addEventListener("submit", (event) => event.preventDefault());
  search.addEventListener("input", () => list(messages));

  async function logs() {
    messages = await NetOps.get("/data/logs", { device });
    const source = name("messages");
    if (source) source.data = {
      time: messages.lines.map((one) => one.time),
      level: messages.lines.map((one) => LEVELS[one.severity]),
      severe: messages.lines.map((one) => (LEVELS[one.severity] >= 3 ? "yes" : "no")),
      about: messages.lines.map((one) => one.text),
    };
    list(messages);
  }

  // A server without this endpoint, such as an older one, still has the rest of the page.
  async function tryLogs() {
    byId("d-logs").hidden = false;
    try {
      await logs();
    } catch (error) {
      listed = null;
      NetOps.text("d-no-logs", `✕ ${error.message}`);
    }
  }

  // Only "all" lists messages of unknown severity.
  function isWanted(one, worst) {
    const severity = SEVERITIES.indexOf(one.severity);
    return severity < 0 ? worst === SEVERITIES.length - 1 : severity <= worst;
  }

  function list(found) {
    if (!found) return;
    const wanted = search.text.value.toLowerCase(), worst = Number(search.severity.value);
    const lines = found.lines.filter((one) => isWanted(one, worst)
      && `${one.text} ${one.template ?? ""}`.toLowerCase().includes(wanted)).slice(0, LISTED);
    const about = JSON.stringify([lines, found.kept]);
    if (about === listed) return;
    listed = about;
    NetOps.text("d-log-about", found.kept ? `the last ${found.kept}, secrets masked; ${lines.length} listed` : "");
    NetOps.text("d-no-logs", found.kept ? (lines.length ? "" : "None.") : "Messages are counted, but not kept. To keep the last ones, start the server with --set serving.messages.keep=200.");
    byId("d-log-lines").replaceChildren(...lines.map((one) => NetOps.element("tr", {},
      NetOps.element("td", {}, NetOps.element("time", {}, NetOps.time(one.time))), NetOps.element("td", {}, `${LEVELS[one.severity] >= 3 ? "▲ " : ""}${one.severity}`),
      NetOps.element("td", { class: "message", title: one.template ?? "no template: such a message was not in the training data" }, `${one.template ? "" : "✱ "}${one.text}`))));
  }

  // At most twice per second, and once more for updates in between.
  let last = 0, due = null, missed = false;
  function schedule() {
    due ??= setTimeout(() => { due = null; refreshState(); }, Math.max(0, 500 - (performance.now() - last)));
  }

  async function refreshState() {
    missed = loading;
    if (loading) return;
    loading = true;
    last = performance.now();
    try {
      const state = await NetOps.get("/data/device", { device });
      if (!models) await draw(state);
      describe(state);
      plot(state);
      const about = JSON.stringify(state.alerts);
      if (about !== shown) { reasons(state); alerts(state); shown = about; }
      if (state.logs) await tryLogs();
      document.body.dataset.updates = String(Number(document.body.dataset.updates ?? 0) + 1);
    } catch (error) {
      NetOps.text("d-state", `✕ ${error.message}`);
    } finally {
      loading = false;
      if (missed) schedule();
    }
  }

  NetOps.onUpdate((update) => { if (update.trouble === "") schedule(); });
  addEventListener("themechange", () => { models = null; schedule(); });
});
