
"use strict";
// Elements and values. Every text goes in as text: a name of a rule is never markup.

const byId = (id) => document.getElementById(id);

/** make("p", "soft", "text", child...) */
function make(tag, className, ...children) {
  const element = document.createElement(tag);
  if (className) element.className = className;
  element.append(...children.filter((child) => child !== null && child !== undefined));
  return element;
}

/** Writes only what is new: the browser then has nothing to lay out. */
function put(element, text, className) {
  if (element.textContent !== text) element.textContent = text;
  if (className !== undefined && element.className !== className) element.className = className;
}

const UNITS = [[1e12, "T"], [1e9, "G"], [1e6, "M"], [1e3, "k"]];

/** Three digits: "999", "12.3 k", "1.20 M"; "–" where it is not known. */
function si(number) {
  if (number === null || number === undefined || Number.isNaN(number)) return "–";
  for (const [size, unit] of UNITS) {
    if (number < 0.9995 * size) continue;
    const value = number / size;
    return `${value.toFixed(value < 9.995 ? 2 : value < 99.95 ? 1 : 0)} ${unit}`;
  }
  return number > 0 && number < 9.95 && number % 1 ? number.toFixed(1) : Math.round(number).toString();
}

/** "1,234,567" */
function grouped(number) {
  return number === null || number === undefined ? "–" : Math.round(number).toLocaleString("en-US");
}

function plural(number, noun) {
  return `${grouped(number)} ${noun}${number === 1 ? "" : "s"}`;
}

/** "12.3 %" */
function share(part) {
  if (part === null || part === undefined) return "–";
  return `${(100 * part).toFixed(part > 0 && part < 0.0995 ? 1 : 0)} %`;
}

/** As duration(), for what was seen. */
function age(seconds) {
  return seconds !== null && seconds !== undefined && seconds < 1 ? "now" : duration(seconds);
}

/** "0.2 s", "35 s", "12 min", "3 h", "2 d" */
function duration(seconds) {
  if (seconds === null || seconds === undefined) return "never";
  if (seconds < 9.95) return `${seconds.toFixed(1)} s`;
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86400)} d`;
}

function bytes(number) {
  if (number === null || number === undefined) return "–";
  for (const [size, unit] of [[2 ** 30, "GiB"], [2 ** 20, "MiB"], [2 ** 10, "KiB"]])
    if (number >= size) return `${Math.round((number / size) * 10) / 10} ${unit}`;
  return `${number} B`;
}

// A key tells its unit by its end. What a newer relay adds is so shown without being known here.
const KEY_UNITS = [
  [/_bps$|^bps$/, "", (v) => `${si(v)}bit/s`],
  [/_pps$/, "", (v) => `${si(v)}/s`],
  [/_us(_max)?$/, "$1", (v) => (v >= 1000 ? `${(v / 1000).toFixed(1)} ms` : `${Math.round(v)} µs`)],
  [/_ms(_max)?$/, "$1", (v) => (v >= 1000 ? `${(v / 1000).toFixed(1)} s` : `${Math.round(v)} ms`)],
  [/_s$/, "", duration],
  [/_buffer(_asked)?$/, "_buffer$1", bytes],
];

const WORDS = { rx: "received", tx: "sent", cc: "continuity", pat: "PAT", pmt: "PMT", pcr: "PCR", pid: "PID",
  pids: "PIDs", crc: "CRC", tei: "transport errors", bps: "bit rate", pps: "datagrams", cpu: "CPU", vlan: "VLAN" };

function keyText(key) {
  let text = key;
  for (const [end, rest] of KEY_UNITS) if (text !== "bps") text = text.replace(end, rest);
  return text.split("_").filter(Boolean).map((word) => WORDS[word] || word).join(" ");
}

function valueText(key, value) {
  if (value === null || value === undefined || value === "") return "–";
  if (typeof value === "boolean") return value ? "yes" : "no";
  if (typeof value === "number") {
    for (const [end, , write] of KEY_UNITS) if (end.test(key)) return write(value);
    return /^(pid|port|vlan|id|index|cpu)$/.test(key) || value % 1 ? String(value) : grouped(value);
  }
  if (Array.isArray(value)) return value.map((each) => valueText(key, each)).join(", ");
  if (typeof value === "object")
    return Object.entries(value).map(([k, v]) => `${keyText(k)} ${valueText(k, v)}`).join(", ");
  return String(value);
}

/** <dl> of [name, text, class?]. */
function facts(pairs) {
  const list = make("dl", "facts");
  for (const [name, text, className] of pairs)
    list.append(make("div", "", make("dt", "", name), make("dd", className || "", text)));
  return list;
}

/** An object's figures: those of `first`, then all others, but for those to leave out. Losses above 0
    (`bad`) are coloured. */
function factsOf(object, first = [], leave = [], bad = []) {
  const keys = [...first.filter((key) => key in object), ...Object.keys(object).filter((key) => !first.includes(key))];
  return facts(keys.filter((key) => !leave.includes(key))
    .map((key) => [keyText(key), valueText(key, object[key]), bad.includes(key) && object[key] > 0 ? "warn" : ""]));
}

/** columns: [title, cell(item) -> text or [text, class], class?]. A column without a value is left out. */
function table(label, items, columns) {
  const cells = items.map((item) => columns.map(([, cell]) => [cell(item)].flat()));
  const used = columns.map((_, i) => cells.some((row) => row[i][0] !== "" && row[i][0] !== "–"));
  const keep = (list) => list.filter((_, i) => used[i]);
  const heads = keep(columns).map(([title, , className]) => {
    const head = make("th", className || "", title);
    head.scope = "col";
    return head;
  });
  const body = make("tbody", "");
  for (const row of cells)
    body.append(make("tr", "", ...columns.map(([, , className], i) =>
      used[i] ? make("td", [className, row[i][1]].filter(Boolean).join(" "), row[i][0]) : null)));
  const element = make("table", "", make("thead", "", make("tr", "", ...heads)), body);
  element.setAttribute("aria-label", label);
  const frame = make("div", "wide", element);
  frame.tabIndex = 0;
  frame.setAttribute("role", "region");
  frame.setAttribute("aria-label", `${label}, table`);
  return frame;
}
