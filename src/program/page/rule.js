
// One rule: what it does, what is wrong with it, what to do, and all of its figures. It is asked
// for each second while it is looked at.

const PLOTS = [
  ["rate_pps", "received", (value) => `${si(value)} datagrams/s`],
  ["rate_bps", "received", (value) => `${si(value)}bit/s`],
  ["drops", "dropped", (value) => `${si(value)}/s`],
];

/** Reason -> {meaning, remedy}, once. */
let reasons = { input: {}, output: {} };

function placeText(each) {
  const known = each.group || each.address;
  const host = known || each.host || "–";
  const place = `${host.includes(":") ? `[${host}]` : host}:${each.port}`;
  return known && each.host ? `${place} (${each.host})` : place;
}

/** Rows of a table of drops: [reason, datagrams, kind] of those that happened. */
function dropsOf(drops, kind) {
  return Object.entries(drops || {}).filter(([, number]) => number > 0)
    .map(([reason, number]) => ({ reason, number, kind, ...(reasons[kind][reason] || {}) }));
}

function dropsTable(label, items) {
  return table(label, items, [
    ["where", (drop) => drop.where || "", "name"],
    ["reason", (drop) => drop.reason, "name"],
    ["datagrams", (drop) => grouped(drop.number), "number"],
    ["what it means", (drop) => drop.meaning || "", "words"],
    ["what to do", (drop) => drop.remedy || "", "words"],
  ]);
}

function inputsTable(inputs) {
  return table("Inputs", inputs, [
    ["interface", (input) => input.interface, "name"],
    ["destination", placeText, "name"],
    ["from", (input) => (input.sources || []).join(", ")],
    ["VLAN", (input) => valueText("vlan", input.vlan)],
    ["priority", (input) => valueText("priority", input.priority), "number"],
    ["on air", (input) => (input.on_air === undefined ? "" : input.on_air ? "on air" : "no")],
    ["healthy", (input) => (input.healthy === undefined ? ""
      : input.healthy ? "yes" : input.joined === false ? "not joined" : ["no", "bad"])],
    ["why", (input) => input.why || "", "words"],
  ]);
}

/** Of a rule that merges: what each path brings. */
function legsTable(inputs) {
  const lost = (key) => ({ leg }) => [grouped(leg[key]), leg[key] ? "warn" : "zero"];
  return table("Paths", inputs.map((input, i) => ({ ...input, number: i + 1 })).filter((input) => input.leg), [
    ["input", (input) => String(input.number), "number"],
    ["from", (input) => `${input.interface} ${placeText(input)}`, "name"],
    ["state", ({ leg }) => (leg.copy === false ? ["another stream", "bad"] : leg.up ? "up" : ["down", "bad"])],
    ["received", ({ leg }) => grouped(leg.received), "number"],
    ["first here", ({ leg }) => grouped(leg.unique), "number"],
    ["duplicates", ({ leg }) => grouped(leg.duplicates), "number"],
    ["missing", lost("missing"), "number"],
    ["late", lost("late"), "number"],
    ["behind, half of them", ({ leg }) => valueText("p50_us", (leg.skew_us || {}).p50), "number"],
    ["behind, at most", ({ leg }) => valueText("max_us", (leg.skew_us || {}).max), "number"],
    ["class", ({ leg }) => leg.class || "", "name"],
  ]);
}

/** "input 2, eth1 239.1.1.1:5000" */
function inputText(inputs, number) {
  const input = inputs[number - 1];
  return input ? `input ${number}, ${input.interface} ${placeText(input)}` : "–";
}

function mergePart(rule) {
  if (!rule.merge) return [];
  return [make("h3", "", "Merge"),
    factsOf(rule.merge, ["by", "recovered", "lost", "waiting"], [], ["lost", "mismatches", "resets"]),
    legsTable(rule.inputs)];
}

function failoverPart({ failover, inputs }) {
  if (!failover) return [];
  const { last } = failover;
  return [make("h3", "", "Failover"), facts([
    ["on air", inputText(inputs, failover.on_air), failover.backup ? "warn" : ""],
    ["chosen", failover.by_hand
      ? `by hand${failover.by_hand_left_s ? `, for ${duration(failover.by_hand_left_s)} more` : ""}` : "by itself",
    failover.by_hand ? "warn" : ""],
    ["switches", grouped(failover.switches)],
    ["last switch", last ? `${duration(last.age_s)} ago: input ${last.from} to ${last.to}, ${last.reason}` : "never"],
  ])];
}

/** How long datagrams stay in the relay: a bar for each span of time. */
function latencyPart({ latency }) {
  if (!latency || !latency.samples) return [];
  return [make("h3", "", "Latency"), facts([
    ["half within", valueText("p50_us", latency.p50_us)], ["99 % within", valueText("p99_us", latency.p99_us)],
    ["samples", grouped(latency.samples)]]),
  table("Latency", latency.buckets, [
    ["up to", (one) => (one.le_us === null ? "longer" : valueText("le_us", one.le_us)), "number"],
    ["share", (one) => share(one.samples / latency.samples), "number"],
    ["samples", (one) => grouped(one.samples), "number"],
  ])];
}

function outputsTable(outputs) {
  const drops = (output) => Object.values(output.drops || {}).reduce((a, b) => a + b, 0);
  return table("Outputs", outputs, [
    ["interface", (output) => output.interface, "name"],
    ["destination", placeText, "name"],
    ["state", (output) => [(output.state || "–") + (output.carrier
      ? `; another relay${output.carrier.relay ? `, ${output.carrier.relay},` : ""} carries this, and this one stands by` : ""),
      output.state === "up" ? "" : "warn"]],
    ["matched", (output) => grouped(output.matched), "number"],
    ["sent", (output) => grouped(output.tx_datagrams), "number"],
    ["dropped", (output) => [grouped(drops(output)), drops(output) ? "" : "zero"], "number"],
    ["in flight", (output) => grouped(output.in_flight), "number"],
    ["without copy", (output) => (output.tx_datagrams
      ? `${Math.round((100 * output.zerocopy) / output.tx_datagrams)} %` : "–"), "number"],
    ["last refusal", (output) => output.reason || output.error || "", "words"],
  ]);
}

function streamPart(input, number, alone) {
  const { stream } = input;
  const title = `Stream${alone ? "" : ` of input ${number}`}: ${stream.kind || "unknown"}`;
  const part = make("section", "", make("h3", "", title), factsOf(stream,
    ["received", "lost", "reordered", "duplicated", "restarts", "jitter_us", "delay_factor_us"], ["kind", "ts"],
    ["lost", "reordered", "duplicated", "restarts"]));
  if (!stream.ts) return part;
  part.append(make("h4", "", "MPEG-TS"), factsOf(stream.ts,
    ["bitrate_bps", "packets", "null_packets", "sync_losses", "cc_errors", "crc_errors", "tei", "scrambled", "pat_age_ms",
      "pmt_age_ms", "pcr_gap_ms_max"], ["indicators", "pids"], ["sync_losses", "cc_errors", "crc_errors", "tei"]));
  part.append(make("h4", "", "Indicators of ETSI TR 101 290"));
  part.append(table("Indicators", stream.ts.indicators || [], [
    ["number", (one) => one.number, "name"],
    ["indicator", (one) => one.name, "name"],
    ["times", (one) => [grouped(one.count), one.count ? "warn" : "zero"], "number"],
    ["last", (one) => (one.count ? `${duration(one.age_s)} ago` : ""), "number"],
  ]));
  part.append(make("h4", "", "PIDs"));
  part.append(table("PIDs", stream.ts.pids || [], [
    ["PID", (one) => String(one.pid), "number"],
    ["kind", (one) => one.kind, "name"],
    ["bit/s", (one) => si(one.bps), "number"],
    ["packets", (one) => grouped(one.packets), "number"],
    ["continuity errors", (one) => [grouped(one.cc_errors), one.cc_errors ? "warn" : "zero"], "number"],
  ]));
  return part;
}

// Keys of a rule's object that have a place of their own on its page.
const TOLD = ["merge", "failover", "latency", "name", "state", "reason", "errno", "comment", "input", "inputs", "outputs", "drops", "notes",
  "advice", "path", "path_reason", "expect", "allow_loop", "rate_pps", "rate_bps", "rx_datagrams",
  "rx_bytes", "last_seen_s", "last_source"];

const rulePage = {
  name: null,
  document: null,
  error: "",

  open(name) {
    this.name = name;
    this.document = null;
    this.error = "";
    byId("rule").replaceChildren();
    scrollTo(0, 0);
  },

  async fetch() {
    const { name } = this;
    const answer = await fetch(`/v1/rules/${encodeURIComponent(name)}`);
    if (name !== this.name) return;
    this.error = answer.ok ? "" : answer.status === 404 ? "There is no such rule now." : await answer.text();
    this.document = answer.ok ? await answer.json() : null;
    this.draw();
  },

  skeleton(box) {
    const back = make("a", "back", "← All rules");
    back.href = "#/";
    this.title = make("h2", "", this.name);
    this.state = make("p", "");
    this.plots = make("div", "plots");
    this.notes = make("div", "");
    this.body = make("div", "");
    this.canvases = PLOTS.map(([column, title]) => {
      const canvas = make("canvas", "");
      canvas.setAttribute("role", "img");
      const now = make("b", "");
      const ends = make("p", "ends");
      this.plots.append(make("div", "", make("h3", "", now, ` ${title}`), canvas, ends));
      return { column, canvas, now, ends };
    });
    box.replaceChildren(back, this.title, this.state, this.notes, this.plots, this.body);
  },

  /** From the history that the list keeps. */
  drawPlots() {
    const index = rules.byName.get(this.name);
    if (index === undefined || !rules.history || !this.plots) return;
    this.canvases.forEach(({ column, canvas, now, ends }, i) => {
      const series = rules.history.series(column, index, SPAN);
      const [, title, write] = PLOTS[i];
      const value = series[SPAN - 1];
      const top = greatest(series);
      canvas.parentElement.hidden = column === "drops" && !rules.columns.drops[index];
      draw(canvas, series, column === "drops" && top ? "warn" : "plot");
      put(now, Number.isNaN(value) ? "–" : write(value));
      const ended = [make("span", "", "3 min ago"), make("span", "", `most ${write(top)}`), make("span", "", "now")];
      ends.replaceChildren(...ended);
      canvas.setAttribute("aria-label", `${title}, the last three minutes: now ${now.textContent}, most ${write(top)}`);
    });
  },

  draw() {
    const box = byId("rule");
    if (box.hidden) return;
    if (!box.firstChild) this.skeleton(box);
    const rule = this.document;
    if (!rule) {
      put(this.state, this.error, "bad");
      return;
    }
    put(this.state, [rule.state, rule.comment].filter(Boolean).join(" · "), stateClass(rule.state) || "soft");
    this.drawPlots();
    this.notes.replaceChildren(...this.said(rule));
    keepPlace(this.body, () => this.body.replaceChildren(...this.parts(rule)));
  },

  /** What is wrong, in words; drops have a table. */
  said(rule) {
    return (rule.notes || []).filter((note) => !/^(dropped on input|output .* dropped)/.test(note))
      .map((note) => make("p", `say ${stateClass(rule.state) || "warn"}`, note));
  },

  parts(rule) {
    const drops = dropsOf(rule.drops, "input").map((drop) => ({ ...drop, where: "input" }));
    for (const output of rule.outputs)
      drops.push(...dropsOf(output.drops, "output").map((drop) =>
        ({ ...drop, where: `${output.interface} ${placeText(output)}` })));
    const streams = rule.inputs.filter((input) => input.stream);
    const more = Object.entries(rule).filter(([key, value]) =>
      !TOLD.includes(key) && value !== null && typeof value === "object" && !Array.isArray(value));
    return [
      ...(rule.advice.length ? [make("h3", "", "What to do"),
        make("ol", "steps", ...rule.advice.map((step) => make("li", "", step)))] : []),
      ...(drops.length ? [make("h3", "", "Drops"), dropsTable("Drops", drops)] : []),
      make("h3", "", rule.inputs.length === 1 ? "Input" : "Inputs"), inputsTable(rule.inputs),
      make("h3", "", rule.outputs.length === 1 ? "Output" : "Outputs"), outputsTable(rule.outputs),
      ...failoverPart(rule), ...mergePart(rule), ...latencyPart(rule),
      ...more.flatMap(([key, value]) => [make("h3", "", keyText(key).replace(/^./, (c) => c.toUpperCase())), factsOf(value)]),
      ...rule.inputs.map((input, i) => (input.stream ? streamPart(input, i + 1, streams.length === 1) : null)).filter(Boolean),
      ...eventsPage.part(this.name),
      make("h3", "", "Since it began"),
      facts([
        ["received", plural(rule.rx_datagrams, "datagram")],
        ["bytes", grouped(rule.rx_bytes)],
        ["last datagram", age(rule.last_seen_s)],
        ["from", rule.last_source || "–"],
        ["way", rule.path ? `${rule.path}${rule.path_reason ? `: ${rule.path_reason}` : ""}` : "–"],
        ["expected", rule.expect ? valueText("expect", rule.expect) : "–"],
      ]),
    ];
  },
};
