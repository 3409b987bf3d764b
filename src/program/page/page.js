
// The page asks once a second, and draws what is looked at. Its address tells which part that is:
//   #/   #/rule/NAME   #/relay   #/events

const PAUSE = 1000;   // ms between two questions
const PATIENCE = 8000; // ms for an answer

const PARTS = ["rules", "rule", "relay", "events"];

const FIGURES = [
  ["received", "datagrams/s", (answer) => rules.sum(rules.columns.rate_pps)],
  ["received", "bit/s", (answer) => rules.sum(rules.columns.rate_bps)],
  ["sent", "datagrams/s", () => rules.sum(rules.sentRate)],
  ["dropped", "datagrams/s", (answer, seconds) => rules.sum(rules.dropRate)],
];

const page = {
  answer: null,
  answeredAt: 0,
  seconds: 0,
  sums: new Past(FIGURES.map((_, i) => `f${i}`), 1),
  figures: [],

  start() {
    readColours();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
      readColours();
      this.draw();
    });
    put(byId("host"), location.hostname);
    for (const [title, unit] of FIGURES) {
      const value = make("b", "", "–");
      const unitBox = make("span", "", ` ${unit}`);
      const canvas = make("canvas", "");
      canvas.setAttribute("aria-hidden", "true");
      const box = make("div", "figure", make("h2", "", title), make("p", "", value, unitBox), canvas);
      byId("figures").append(box);
      this.figures.push({ box, value, unit: unitBox, canvas });
    }
    list.start();
    eventsPage.start();
    addEventListener("hashchange", () => this.route());
    addEventListener("keydown", (event) => this.key(event));
    this.route();
    this.tell();
    this.ask();
    setInterval(() => this.tell(), PAUSE);
  },

  route() {
    const [, part = "", name = ""] = location.hash.split("/");
    const open = { "": "rules", rule: "rule", relay: "relay", events: "events" }[part] || "rules";
    const was = PARTS.find((each) => !byId(each).hidden);
    if (was === "rules" && open !== "rules") this.scrolled = scrollY;
    for (const each of PARTS) byId(each).hidden = each !== open;
    for (const each of ["rules", "relay", "events"]) {
      const link = byId(`to-${each}`);
      if (each === open || (each === "rules" && open === "rule")) link.setAttribute("aria-current", "page");
      else link.removeAttribute("aria-current");
    }
    document.body.dataset.part = open;
    rulePage.name = null;
    if (open === "rule") {
      let decoded = name;
      try { decoded = decodeURIComponent(name); } catch { /* as it stands */ }
      rulePage.open(decoded);
      this.askRule();
    }
    this.draw();
    if (open === "rules" && was !== "rules") scrollTo(0, this.scrolled || 0);
    if (open !== "rules" && was !== open) scrollTo(0, 0);
    document.title = open === "rule" ? `${rulePage.name} – mcr` : "mcr";
  },

  key(event) {
    if (event.ctrlKey || event.altKey || event.metaKey) return;
    const typing = /^(INPUT|SELECT)$/.test(document.activeElement.tagName);
    if (event.key === "Escape") {
      if (document.activeElement === byId("search") && byId("search").value) {
        byId("search").value = "";
        list.search = "";
        list.again();
      } else if (typing) {
        document.activeElement.blur();
      } else if (location.hash.length > 2) {
        location.hash = "#/";
      }
    } else if (event.key === "/" && !typing) {
      event.preventDefault();
      if (byId("rules").hidden) location.hash = "#/";
      setTimeout(() => byId("search").focus());
    } else if (!typing && !byId("rules").hidden) {
      list.key(event);
    }
  },

  async fetchJson(path) {
    const answer = await fetch(path, { signal: AbortSignal.timeout(PATIENCE) });
    if (!answer.ok) throw new Error(`${answer.status} ${(await answer.text()).trim()}`);
    return answer.json();
  },

  async ask() {
    const began = Date.now();
    try {
      if (!Object.keys(reasons.input).length) reasons = await this.fetchJson("/v1/drop-reasons");
      const known = rules.generation === null ? "" : `?known=${rules.generation}`;
      let answer = await this.fetchJson(`/v1/overview${known}`);
      // Another process has other rules under the same generation.
      if (!answer.rules.name && (!this.answer || answer.uptime_s < this.answer.uptime_s || answer.pid !== this.answer.pid))
        answer = await this.fetchJson("/v1/overview");
      this.take(answer);
    } catch (error) {
      this.error = error.message;
    }
    setTimeout(() => this.ask(), Math.max(PAUSE - (Date.now() - began), PAUSE / 4));
  },

  async askRule() {
    const { name } = rulePage;
    try {
      await rulePage.fetch();
    } catch { /* the other question tells */ }
    if (name !== null && rulePage.name === name) setTimeout(() => { if (rulePage.name === name) this.askRule(); }, PAUSE);
  },

  take(answer) {
    const now = Date.now();
    const same = this.answer && this.answer.pid === answer.pid && answer.uptime_s >= this.answer.uptime_s;
    this.seconds = same ? answer.uptime_s - this.answer.uptime_s : 0;
    const renamed = Boolean(answer.rules.name);
    if (same && !renamed && this.seconds < 0.2) return; // the same answer again
    if (!same) rules.columns = null;
    if (renamed) rules.rename(answer.rules);
    const second = Math.max(Math.round(now / 1000), rules.history.last + (this.seconds > 0.5 ? 1 : 0));
    rules.update(answer, second, this.seconds);
    relayPage.before = same ? this.answer : null;
    this.answer = answer;
    this.answeredAt = now;
    this.error = "";
    this.addSums(second, answer);
    list.choose(renamed);
    this.draw();
  },

  addSums(second, answer) {
    const row = {};
    FIGURES.forEach(([, , sum], i) => { row[`f${i}`] = [sum(answer, this.seconds)]; });
    this.sums.add(second, row);
  },

  drawFigures() {
    if (byId("rules").hidden) return;
    this.figures.forEach(({ box, value, unit, canvas }, i) => {
      const series = this.sums.series(`f${i}`, 0, SPAN);
      const now = series[SPAN - 1];
      const bad = i === 3 && now > 0;
      // "25.7 Mbit/s": a prefix stands with its unit.
      const [number, prefix = ""] = si(now).split(" ");
      put(value, FIGURES[i][1] === "bit/s" ? number : si(now));
      put(unit, ` ${FIGURES[i][1] === "bit/s" ? prefix : ""}${FIGURES[i][1]}`);
      box.className = bad ? "figure warn" : "figure";
      draw(canvas, series, i === 3 && greatest(series) > 0 ? "warn" : "plot");
    });
  },

  /** One sentence: is anything wrong, and how much of it? */
  verdict() {
    const { size } = rules;
    if (!size) return ["There are no rules", ""];
    const { counts, dropping } = rules;
    const some = (states) => states.filter((state) => counts.get(state))
      .map((state) => `${grouped(counts.get(state))} ${state}`);
    const wrong = some([...BAD, ...WARN]);
    if (dropping) wrong.push(`${grouped(dropping)} dropping`);
    const off = counts.get("disabled") || 0;
    const all = plural(size - off, "rule");
    if (size === off) return ["All rules are disabled", ""];
    if (!wrong.length) {
      const unheard = rules.columns.last_seen_s.filter((seen, i) => seen === null && rules.state(i) === "active").length;
      return [(size - off === 1 ? "The rule runs" : `All ${all} run`) +
        (unheard ? `, ${grouped(unheard)} without a datagram yet` : ""), ""];
    }
    return [`${wrong.join(", ")}, of ${plural(size, "rule")}`, some(BAD).length ? "bad" : "warn"];
  },

  draw() {
    if (!this.answer) return;
    this.drawFigures();
    list.draw();
    rulePage.drawPlots();
    relayPage.draw(this.answer, this.seconds);
    eventsPage.draw();
    this.tell();
  },

  /** Also while nothing answers. */
  tell() {
    const silent = (Date.now() - this.answeredAt) / 1000;
    const stale = this.answer !== null && silent > 4;
    document.body.classList.toggle("stale", stale);
    if (!this.answer) {
      if (this.error) put(byId("verdict"), `The relay does not answer: ${this.error}`, "bad");
      return;
    }
    const [text, className] = stale ? [`No answer for ${duration(silent)}`, "bad"] : this.verdict();
    put(byId("verdict"), text, className);
    put(byId("live"), `version ${this.answer.version}, up ${duration(this.answer.uptime_s)}`, "");
  },
};

page.start();
