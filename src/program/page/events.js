
// Events as they happen. The relay tells each event once, in a stream that the browser takes
// up again where it broke off; where it cannot be had, the page asks. A browser has few connections
// for one relay, so pages that nobody sees hold none.

const MOST_EVENTS = 500;
const EVENT_PAUSE = 2000; // ms between two questions
const EVENT_KINDS = ["start", "rule", "join", "reload", "host", "loss", "gap", "failover", "merge"];
const EVENT_CLASS = { failed: "bad", silent: "bad", refused: "bad", waiting: "warn", degraded: "warn", looping: "warn", begun: "warn",
  on_air: "warn", lost: "warn", no_copy: "bad", behind: "warn", unresolved: "warn" };

const eventsPage = {
  events: [], // the newest first
  last: null, // the id of the newest, or of the last one before us
  source: null,
  asking: 0,

  start() {
    document.addEventListener("visibilitychange", () => this.follow());
    this.follow();
  },

  /** Begins, or ends, as the page is seen or not. */
  follow() {
    clearTimeout(this.asking);
    if (this.source) this.source.close();
    this.source = null;
    if (!document.hidden) this.ask();
  },

  /** What has happened until now; then the stream. */
  async ask() {
    try {
      const answer = await page.fetchJson(`/v1/recent-events${this.last === null ? "" : `?since=${this.last}`}`);
      answer.events.forEach((event) => this.take(event));
      this.last = answer.last;
      if (!this.source && !this.refused && !document.hidden) this.listen();
    } catch { /* the other question tells */ }
    clearTimeout(this.asking);
    if (!this.source && !document.hidden) this.asking = setTimeout(() => this.ask(), EVENT_PAUSE);
  },

  listen() {
    if (typeof EventSource === "undefined") return;
    const source = new EventSource(`/v1/events?since=${this.last}`);
    this.source = source;
    for (const kind of EVENT_KINDS)
      source.addEventListener(kind, (message) => {
        const event = JSON.parse(message.data);
        this.last = event.id;
        this.take(event);
      });
    source.onerror = () => {
      if (source.readyState !== EventSource.CLOSED || this.source !== source) return;
      this.refused = true; // by something between us and the relay
      this.follow();
    };
  },

  take(event) {
    this.events.unshift(event);
    this.events.length = Math.min(this.events.length, MOST_EVENTS);
    this.drawing = this.drawing || requestAnimationFrame(() => {
      this.drawing = 0;
      this.draw();
    });
  },

  /** "camera 2", "239.1.1.1 on eth0", "send_queue_full on eth1" */
  subject(event) {
    const at = event.interface ? `on ${event.interface}` : "";
    return event.rule || [event.group || event.host || event.where || "", at].filter(Boolean).join(" ");
  },

  words(event) {
    if (event.event === "gap") return `${event.missed ? plural(event.missed, "event") : "some events"} missed`;
    const count = event.count ? `${grouped(event.count)} lost` : "";
    return [event.input, event.before ? `was ${event.before}` : "", event.reason, count].filter(Boolean).join("; ");
  },

  table(events, withSubject = true) {
    return table("Events", events, [
      ["time", (event) => new Date(event.time).toLocaleTimeString("en-GB"), "name"],
      ["day", (event) => new Date(event.time).toLocaleDateString("sv"), "name"],
      ["event", (event) => event.event, "name"],
      ...(withSubject ? [["about", (event) => this.subject(event), "words"]] : []),
      ["is now", (event) => [event.state || "", EVENT_CLASS[event.state] || ""], "name"],
      ["why", (event) => this.words(event), "words"],
    ]);
  },

  /** The last ones of a rule, for its own page. */
  part(rule) {
    const events = this.events.filter((event) => event.rule === rule).slice(0, 20);
    return events.length ? [make("h3", "", "Events"), this.table(events, false)] : [];
  },

  draw() {
    const box = byId("events");
    if (box.hidden) return;
    keepPlace(box, () => box.replaceChildren(make("h2", "", "Events"),
      this.events.length ? this.table(this.events) : make("p", "soft", "None yet.")));
  },
};
