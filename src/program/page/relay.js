
// The relay itself: interfaces, workers, the kernel's way, memberships, sums.

/** Replaces what is inside, and keeps where a wide table was scrolled to, and the focus. */
function keepPlace(box, replace) {
  const frames = () => [...box.querySelectorAll(".wide")];
  const before = new Map(frames().map((frame) => [frame.getAttribute("aria-label"), frame.scrollLeft]));
  const focused = document.activeElement && box.contains(document.activeElement)
    ? document.activeElement.getAttribute("aria-label") : null;
  replace();
  for (const frame of frames()) {
    const label = frame.getAttribute("aria-label");
    if (before.get(label)) frame.scrollLeft = before.get(label);
    if (focused && label === focused) frame.focus({ preventScroll: true });
  }
}

// The keys of the answer that have a part of the page to themselves.
const SHOWN = ["workers", "interfaces", "rules", "membership", "totals", "fast_path", "host", "states", "paths", "notes",
  "reflectors", "digest"];

const heading = (text) => make("h2", "", text.replace(/^./, (first) => first.toUpperCase()));

const relayPage = {
  before: null,

  reflectors(answer) {
    const list = answer.reflectors || [];
    if (!list.length) return [];
    return [heading("reflectors"), table("Reflectors", list, [
      ["name", (each) => each.name, "name"],
      ["state", (each) => [each.state || "–", stateClass(each.state || "")]],
      ["why", (each) => each.reason || "", "words"],
      ["kind", (each) => each.kind, "name"],
      ["between", (each) => each.interfaces.join(", "), "name"],
      ["datagrams", (each) => grouped(each.ways.reduce((sum, way) => sum + (way.datagrams || 0), 0)), "number"],
      ["searches", (each) => grouped(each.searches), "number"],
      ["answers", (each) => grouped(each.answers), "number"],
      ["left out", (each) => [grouped(each.left_out), each.left_out ? "" : "zero"], "number"],
    ]), table("Ways of reflectors", list.flatMap((each) => each.ways.map((way) => ({ ...way, name: each.name }))), [
      ["reflector", (way) => way.name, "name"],
      ["from", (way) => way.from, "name"],
      ["to", (way) => way.to, "name"],
      ["datagrams", (way) => [grouped(way.datagrams), way.datagrams ? "" : "zero"], "number"],
    ])];
  },

  /** What a newer relay has beside these, as it comes. */
  others(answer) {
    return Object.entries(answer).filter(([key, value]) => !SHOWN.includes(key) && value && typeof value === "object")
      .flatMap(([key, value]) => {
        if (!Array.isArray(value)) return [heading(keyText(key)), factsOf(value)];
        if (!value.length || typeof value[0] !== "object") return [];
        return [heading(keyText(key)), table(keyText(key), value,
          Object.keys(value[0]).map((name) => [keyText(name), (each) => valueText(name, each[name])]))];
      });
  },

  /** A second of `key`, of the thing with the same `id` in the answer before. */
  rate(now, list, id, key, seconds) {
    const then = this.before && (this.before[list] || []).find((each) => each[id] === now[id]);
    if (!then || now[key] === null || then[key] === null || !(seconds > 0)) return null;
    return Math.max(now[key] - then[key], 0) / seconds;
  },

  interfaces(answer, seconds) {
    const state = (each) => [each.state || "–", each.state === "up" ? "" : "bad"];
    const trouble = (key) => (each) => [grouped(each[key]), each[key] ? "warn" : "zero"];
    return table("Interfaces", answer.interfaces, [
      ["name", (each) => [each.name, ...(each.altnames || [])].join(", "), "name"],
      ["state", state],
      ["MTU", (each) => valueText("port", each.mtu), "number"],
      ["GRO", (each) => each.gro || "–"],
      ["received/s", (each) => si(this.rate(each, "interfaces", "name", "rx_datagrams", seconds)), "number"],
      ["received", (each) => grouped(each.rx_datagrams), "number"],
      ["kernel drops", trouble("kernel_drops"), "number"],
      ["missed by the card", trouble("link_rx_missed"), "number"],
      ["lost on sending", trouble("link_tx_dropped"), "number"],
      ["receive buffer", (each) => bytes(each.receive_buffer), "number"],
      ["send buffer", (each) => bytes(each.send_buffer), "number"],
    ]);
  },

  workers(answer, seconds) {
    return table("Workers", answer.workers, [
      ["worker", (each) => valueText("id", each.id)],
      ["state", (each) => [each.state, each.state === "running" ? "" : "bad"]],
      ["CPU", (each) => (each.cpu === null ? "any" : String(each.cpu)), "number"],
      ["ran on", (each) => valueText("cpu", each.last_cpu), "number"],
      ["takes of it", (each) => share(each.cpu_use), "number"],
      ["received/s", (each) => si(this.rate(each, "workers", "id", "rx_datagrams", seconds)), "number"],
      ["sent/s", (each) => si(this.rate(each, "workers", "id", "tx_datagrams", seconds)), "number"],
      ["received", (each) => grouped(each.rx_datagrams), "number"],
      ["sent", (each) => grouped(each.tx_datagrams), "number"],
    ]);
  },

  memberships(answer) {
    const { membership } = answer;
    if (!membership) return [];
    const part = [make("h2", "", "Memberships"), factsOf(membership, ["count", "unjoined"], ["groups"], ["unjoined", "joins_failed"])];
    if (!membership.groups.length) return part;
    return [...part, table("Memberships that are not joined", membership.groups, [
      ["interface", (each) => each.interface, "name"],
      ["group", (each) => each.group, "name"],
      ["source", (each) => each.source || "", "name"],
      ["state", (each) => [each.state, "warn"]],
      ["why", (each) => each.error, "words"],
    ])];
  },

  ways() {
    const counts = new Map();
    for (const path of rules.columns.path) counts.set(path, (counts.get(path) || 0) + 1);
    return [...counts].filter(([path]) => rules.paths[path])
      .map(([path, number]) => [`rules by the ${rules.paths[path]}`, grouped(number)]);
  },

  fastPath(answer) {
    const way = answer.fast_path;
    return way ? [["kernel's way", way.runs ? "runs" : way.reason || "off"],
      ["received there", grouped(way.rx_datagrams)], ["sent there", grouped(way.tx_datagrams)]] : [];
  },

  drops({ totals }) {
    if (!totals) return [];
    const all = [
      ...dropsOf(totals.drops, "input").map((drop) => ({ ...drop, where: "input" })),
      ...dropsOf(totals.tx_drops, "output").map((drop) => ({ ...drop, where: "output" })),
    ];
    return [make("h2", "", "Drops since the start"),
      all.length ? dropsTable("Drops since the start", all) : make("p", "soft", "None.")];
  },

  draw(answer, seconds) {
    const box = byId("relay");
    if (!box.hidden) {
      const totals = answer.totals || {};
      keepPlace(box, () => box.replaceChildren(
        make("h2", "", "Interfaces"), this.interfaces(answer, seconds),
        make("h2", "", "Workers"), this.workers(answer, seconds),
        make("h2", "", "Ways"), facts([...this.ways(), ...this.fastPath(answer)]),
        ...this.drops(answer),
        ...this.memberships(answer),
        ...this.reflectors(answer),
        ...this.others(answer),
        make("h2", "", "Sums since the start"),
        facts([
          ["received", grouped(totals.rx_datagrams)], ["matched", grouped(totals.matched)],
          ["unmatched", grouped(totals.unmatched)], ["sent", grouped(totals.tx_datagrams)],
          ["frames dropped by the kernel", grouped(totals.kernel_drops)],
          ...Object.entries(answer.host || {}).map(([key, value]) => [keyText(key), grouped(value)]),
        ]),
        make("h2", "", "Program"),
        facts([
          ["version", answer.version], ["process", valueText("pid", answer.pid)], ["up", duration(answer.uptime_s)],
          ["configuration", answer.config], ["generation", grouped(answer.generation)],
          ["memory locked", answer.memory_locked || "–"],
          ...(answer.standby ? [["sends", answer.standby === "on" ? "nothing: stands by" : "yes",
            answer.standby === "on" ? "warn" : ""]] : []),
          ...(answer.shard ? [["shard", answer.shard], ["rules elsewhere", grouped(answer.rules_elsewhere)]] : []),
        ])));
    }
  },
};
