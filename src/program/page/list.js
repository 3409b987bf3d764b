
// The rules: which of them, in what order, and those rows that are seen. A row is an element that
// is used again for another rule as the page scrolls.

const MINUTE = 60;
const HOLD = 5000; // ms between two orders by figures: rows should not dance

const BAD = ["failed", "silent", "looping"];
const WARN = ["waiting", "degraded"];
const RANKS = { bad: 4, warn: 3 };
const stateClass = (state) => (BAD.includes(state) ? "bad" : WARN.includes(state) ? "warn" : "");

/** The rules as the last answer has them; the columns of /v1/overview, and what follows from them. */
const rules = {
  size: 0, generation: null, name: [], input: [], output: [], text: [], byName: new Map(),
  columns: null, states: [], paths: [], notes: [], dropRate: [], sentRate: [], history: null,
  ranks: [],         // severity by state, as `states`
  counts: new Map(), // rules by state
  dropping: 0,
  nameOrder: null,   // made when it is asked for

  state(i) { return this.states[this.columns.state[i]] || "unknown"; },
  note(i) { return this.notes[this.columns.note[i]] || ""; },
  severity(i) {
    const rank = this.ranks[this.columns.state[i]] || 0;
    if (rank > 2) return rank;
    if (this.dropRate[i] > 0) return 2;
    return rank || (this.columns.attention[i] ? 1 : 0);
  },

  /** New texts: what is known of the rules that stay goes with them. */
  rename(columns) {
    const from = columns.name.map((name) => (this.byName.has(name) ? this.byName.get(name) : -1));
    this.name = columns.name;
    this.input = columns.input;
    this.output = columns.output;
    this.size = columns.name.length;
    this.byName = new Map(columns.name.map((name, i) => [name, i]));
    this.nameOrder = null;
    this.text = columns.name.map((name, i) =>
      `${name}\n${columns.input[i]}\n${columns.output[i]}`.toLowerCase());
    this.history = this.history
      ? this.history.moved(from)
      : new Past(["rate_pps", "rate_bps", "drops"], this.size);
    const old = this.columns;
    if (old) {
      const take = (list) => from.map((index) => (index >= 0 ? list[index] : null));
      this.columns = { ...old, drops: take(old.drops), tx_datagrams: take(old.tx_datagrams) };
    }
  },

  /** `seconds` since the answer before. */
  update(answer, second, seconds) {
    const before = this.columns;
    const columns = answer.rules;
    const rate = (key) => {
      const now = columns[key];
      const then = before && before[key];
      const rates = new Float64Array(now.length).fill(NaN); // not known
      if (then && seconds > 0)
        for (let i = 0; i < now.length; ++i)
          if (then[i] !== null && now[i] >= then[i]) rates[i] = (now[i] - then[i]) / seconds;
      return rates;
    };
    this.dropRate = rate("drops");
    this.sentRate = rate("tx_datagrams");
    this.columns = columns;
    this.states = answer.states;
    this.paths = answer.paths;
    this.notes = answer.notes;
    this.generation = answer.generation;
    this.ranks = this.states.map((state) => RANKS[stateClass(state)] || (state === "disabled" ? -1 : 0));
    this.count();
    this.history.add(second, {
      rate_pps: columns.rate_pps, rate_bps: columns.rate_bps, drops: this.dropRate,
    });
  },

  count() {
    const byState = new Array(this.states.length + 1).fill(0); // the last one: "unknown"
    this.dropping = 0;
    for (let i = 0; i < this.size; ++i) {
      ++byState[this.columns.state[i] ?? this.states.length];
      if (this.dropRate[i] > 0) ++this.dropping;
    }
    this.counts = new Map(byState.map((count, at) => [this.states[at] || "unknown", count]));
  },

  /** null: nothing is known yet. */
  sum(list) {
    let sum = null;
    for (const value of list) if (value !== null && !Number.isNaN(value)) sum = (sum || 0) + value;
    return sum;
  },
};

const collator = new Intl.Collator("en", { numeric: true });
const most = (list, next = list) => (shown) => {
  const first = Float64Array.from(list, (value) => value || 0);
  const second = Float64Array.from(next, (value) => value || 0);
  return shown.sort((a, b) => first[b] - first[a] || second[b] - second[a]);
};

/** By severity; the rules of one stay as they stand. */
function troubleFirst(shown) {
  const groups = [[], [], [], [], [], []];
  for (const i of shown) groups[4 - rules.severity(i)].push(i);
  return groups.flat();
}

/** Names change seldom, and are slow to compare. */
function inNameOrder(shown) {
  const { name } = rules;
  rules.nameOrder ||= name.map((_, i) => i).sort((a, b) => collator.compare(name[a], name[b]));
  const wanted = new Uint8Array(rules.size);
  for (const i of shown) wanted[i] = 1;
  return rules.nameOrder.filter((i) => wanted[i]);
}

/** Each with what puts the rules that are shown in order. */
const ORDERS = {
  trouble: ["trouble first", () => troubleFirst],
  name: ["name", () => inNameOrder],
  packets: ["datagrams/s", () => most(rules.columns.rate_pps)],
  bits: ["bit/s", () => most(rules.columns.rate_bps)],
  drops: ["drops/s", () => most(rules.dropRate, rules.columns.drops)],
};

const list = {
  state: "", // "": all
  search: "",
  order: "trouble",
  shown: [], // rules by their index, in order
  sortedAt: 0,
  cursor: 0, // place in `shown`
  rows: [],
  height: 0,
  plot: null, // the size of the plots of rows
  version: 0, // of what rows show: it grows with each answer and choice

  start() {
    for (const [key, [text]] of Object.entries(ORDERS)) {
      const option = make("option", "", text);
      option.value = key;
      byId("order").append(option);
    }
    byId("order").addEventListener("change", (event) => {
      this.order = event.target.value;
      this.again();
    });
    byId("search").addEventListener("input", (event) => {
      this.search = event.target.value.trim().toLowerCase();
      this.again();
    });
    byId("rows").addEventListener("click", (event) => {
      const row = event.target.closest(".row");
      if (row && !event.target.closest("a")) location.hash = row.link.getAttribute("href");
    });
    addEventListener("scroll", () => this.drawSoon(), { passive: true });
    addEventListener("resize", () => {
      this.height = 0;
      ++this.version;
      this.drawSoon();
    });
  },

  /** Once, before the next frame. */
  drawSoon() {
    if (this.due) return;
    this.due = true;
    requestAnimationFrame(() => {
      this.due = false;
      this.drawRows();
    });
  },

  /** Another choice: from the top. */
  again() {
    this.cursor = 0;
    this.choose(true);
    this.draw();
  },

  matches(i) {
    if (this.state && rules.state(i) !== this.state) return false;
    return !this.search || rules.text[i].includes(this.search) ||
      rules.note(i).toLowerCase().includes(this.search);
  },

  /** Who points at a row, or reads it by keys, keeps it where it is. */
  held() {
    return byId("rows").contains(document.activeElement) || Date.now() - this.sortedAt < HOLD;
  },

  choose(now) {
    if (!rules.columns) return;
    if (!now && this.held()) return;
    const shown = [];
    for (let i = 0; i < rules.size; ++i) if (this.matches(i)) shown.push(i);
    this.shown = ORDERS[this.order][1]()(shown);
    this.sortedAt = Date.now();
    this.cursor = Math.min(this.cursor, Math.max(shown.length - 1, 0));
  },

  drawStates() {
    const { counts } = rules;
    const wanted = ["", ...rules.states.filter((state) => counts.get(state) || state === this.state)];
    const box = byId("states");
    while (box.children.length > wanted.length) box.lastChild.remove();
    while (box.children.length < wanted.length) {
      const button = make("button", "");
      button.type = "button";
      button.addEventListener("click", () => {
        this.state = button.state === this.state ? "" : button.state;
        this.again();
      });
      box.append(button);
    }
    wanted.forEach((state, i) => {
      const button = box.children[i];
      button.state = state;
      put(button, `${state || "all"} ${grouped(state ? counts.get(state) || 0 : rules.size)}`,
        stateClass(state));
      button.setAttribute("aria-pressed", String(state === this.state));
    });
  },

  newRow() {
    const row = make("div", "row");
    row.setAttribute("role", "row");
    const cell = (className, ...children) => {
      const element = make("span", className, ...children);
      element.setAttribute("role", "cell");
      row.append(element);
      return element;
    };
    row.link = make("a", "");
    row.small = make("small", "");
    row.canvas = make("canvas", "");
    row.state = cell("state");
    row.what = cell("what", row.link, row.small);
    cell("plot", row.canvas);
    row.packets = cell("number");
    row.bits = cell("number");
    row.drops = cell("number");
    row.seen = cell("number zero");
    row.canvas.setAttribute("aria-hidden", "true");
    byId("rows").append(row);
    return row;
  },

  fill(row, place) {
    const i = this.shown[place];
    row.link.tabIndex = place === this.cursor ? 0 : -1;
    if (row.rule === i && row.place === place && row.version === this.version) return;
    Object.assign(row, { rule: i, place, version: this.version });
    const { columns } = rules;
    const state = rules.state(i);
    const note = rules.note(i);
    const severity = rules.severity(i);
    const off = state === "disabled" ? " off" : "";
    row.setAttribute("aria-rowindex", String(place + 2));
    row.style.transform = `translateY(${place * this.height}px)`;
    if (row.className !== `row${off}`) row.className = `row${off}`;
    put(row.state, state, `state ${stateClass(state)}`);
    put(row.link, rules.name[i]);
    const target = `#/rule/${encodeURIComponent(rules.name[i])}`;
    if (row.link.getAttribute("href") !== target) row.link.href = target;
    const way = `${rules.input[i]} → ${rules.output[i]}`;
    put(row.small, severity > 1 && note ? note : note ? `${way} · ${note}` : way,
      severity > 2 ? stateClass(state) : severity === 2 ? "warn" : "");
    const figure = (element, value) =>
      put(element, si(value), value ? "number" : "number zero");
    figure(row.packets, columns.rate_pps[i]);
    figure(row.bits, columns.rate_bps[i]);
    put(row.drops, si(rules.dropRate[i] || 0), rules.dropRate[i] > 0 ? "number warn" : "number zero");
    put(row.seen, age(columns.last_seen_s[i]));
    if (this.plot.width) draw(row.canvas, rules.history.series("rate_pps", i, MINUTE), "plot", this.plot);
  },

  /** The rows that are seen, and a few around them. */
  drawRows() {
    if (!rules.columns || byId("rules").hidden) return;
    const box = byId("rows");
    if (!this.height) {
      if (!this.rows.length) this.rows.push(this.newRow());
      this.height = this.rows[0].offsetHeight;
    }
    const height = `${this.shown.length * this.height}px`;
    if (box.style.height !== height) box.style.height = height;
    const above = Math.max(-box.getBoundingClientRect().top, 0);
    const first = Math.max(Math.floor(above / this.height) - 3, 0);
    const last = Math.min(first + Math.ceil(innerHeight / this.height) + 6, this.shown.length);
    const needed = Math.max(last - first, 0);
    while (this.rows.length < needed) this.rows.push(this.newRow());
    const wanted = new Map();
    for (let place = first; place < last; ++place) wanted.set(this.rows[place % this.rows.length], place);
    for (const row of this.rows) if (row.hidden === wanted.has(row)) row.hidden = !row.hidden;
    // Asked once: after each row that is written, the browser would lay out the page anew.
    if (needed) this.plot = sizeOf(this.rows[first % this.rows.length].canvas);
    for (const [row, place] of wanted) this.fill(row, place);
  },

  draw() {
    if (!rules.columns) return;
    ++this.version;
    this.drawStates();
    byId("list").setAttribute("aria-rowcount", String(this.shown.length + 1));
    byId("list").hidden = this.shown.length === 0;
    byId("none").hidden = this.shown.length !== 0;
    put(byId("none"), rules.size ? "No rule matches." : "The configuration has no rule.");
    // One row has to be reachable by Tab: the cursor, or the first one when it is out of sight.
    const middle = Math.floor(Math.max(-byId("rows").getBoundingClientRect().top, 0) / (this.height || 1));
    if (!byId("rows").contains(document.activeElement)) this.cursor = Math.min(Math.ceil(middle), Math.max(this.shown.length - 1, 0));
    this.drawRows();
  },

  /** By keys. */
  move(place) {
    if (!this.shown.length) return;
    this.cursor = Math.max(0, Math.min(place, this.shown.length - 1));
    const box = byId("rows").getBoundingClientRect();
    const top = box.top + this.cursor * this.height;
    const heads = document.querySelector(".heads").offsetHeight;
    if (top < heads) scrollBy({ top: top - heads, behavior: "instant" });
    else if (top + this.height > innerHeight)
      scrollBy({ top: top + this.height - innerHeight, behavior: "instant" });
    this.drawRows();
    this.rows[this.cursor % this.rows.length].link.focus({ preventScroll: true });
  },

  key(event) {
    const inList = byId("rows").contains(document.activeElement);
    const page = Math.max(Math.floor(innerHeight / (this.height || 1)) - 2, 1);
    const steps = {
      j: 1, k: -1, ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page,
      Home: -this.shown.length, End: this.shown.length,
    };
    const step = steps[event.key];
    if (step === undefined || (!inList && event.key !== "j" && event.key !== "k")) return;
    event.preventDefault();
    this.move(inList ? this.cursor + step : this.cursor);
  },
};
