// What the grid worker answered, until the gateway has it. Every receipt is kept on the phone before it is sent and sent
// with the same event_id until it is taken, so a tap counts from when it was made, whatever the network does. Nothing
// about people is kept: ids, kinds and times.
const FIRST = 1000; // ms before the second attempt; doubled from there
const LONGEST = 30_000;
const PATIENCE = 15_000; // the gateway answers within 10 s
const MEMORY = 3 * 86_400_000; // how long the phone remembers what it has sent, ms
const UNHEARD = 120_000; // an ACTED that closed nothing for so long may be given again
const A_DAY = 86_400_000; // the most that ago_ms may say

export class Outbox {
  // told(): something changed. refused(receipt, status): it will never be taken. out(): the login is over.
  constructor(me, { told, refused, out }) {
    Object.assign(this, { told, refused, out });
    this.key = `haihe.outbox.${me}`;
    this.keep({ queue: [], sent: {} });
    this.timer = null;
    this.failures = 0;
    this.busy = false;
    this.stopped = false;
    this.read();
    this.heard = (event) => {
      if (event.key !== this.key) return; // another tab of this phone
      this.read();
      this.told();
    };
    this.online = () => this.hurry();
    addEventListener("storage", this.heard);
    addEventListener("online", this.online);
    this.hurry();
  }

  stop() {
    this.stopped = true;
    clearTimeout(this.timer);
    removeEventListener("storage", this.heard);
    removeEventListener("online", this.online);
  }

  // Answers {alert, step, kind, outcome}; `step`: when the alert was told to me (ms). Told again, it is answered again.
  add(...answers) {
    this.read();
    const at = Date.now();
    const fresh = answers.map(({ alert, step, kind, outcome = null }) => (
      { event_id: uuid(), alert_id: alert, step, kind, outcome, at }
    ));
    this.keep({ ...this.kept, queue: [...this.kept.queue, ...fresh] });
    this.write();
    this.hurry();
  }

  // The receipt of that kind that still waits here; undefined when none does.
  waiting(alert, step, kind) {
    return this.byName.get(name({ alert_id: alert, step, kind }));
  }

  // Whether this phone has sent it.
  sent(alert, step, kind) {
    const at = this.kept.sent[name({ alert_id: alert, step, kind })];
    return at !== undefined && (kind !== "ACTED" || Date.now() - at < UNHEARD);
  }

  // How many answers of the person wait; what the phone says by itself does not count.
  get length() {
    return this.kept.queue.filter((one) => one.kind !== "RECEIVED").length;
  }

  // Sends now: a new receipt, or the network is back.
  hurry() {
    this.failures = 0;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), 0);
  }

  async send() {
    if (this.busy || this.stopped) return;
    this.busy = true;
    try {
      // One tab of the phone at a time.
      if (navigator.locks) await navigator.locks.request(this.key, () => this.empty());
      else await this.empty();
    } finally {
      this.busy = false;
    }
  }

  async empty() {
    for (this.read(); this.kept.queue.length && !this.stopped; this.read()) {
      // The phone's own RECEIVED can wait for what people say.
      const next = this.kept.queue.find((one) => one.kind !== "RECEIVED") || this.kept.queue[0];
      const { status, wait } = await post(next);
      if (status >= 200 && status < 300) this.drop(next, true);
      else if (status === 401) {
        this.out();
        return this.later(LONGEST / 6);
      } else if (status >= 400 && status < 500 && status !== 408 && status !== 429) {
        this.drop(next, next.kind === "RECEIVED");
        this.refused(next, status);
      } else return this.later(wait);
      this.failures = 0;
    }
  }

  later(wait) {
    const ms = Math.max(wait, Math.min(LONGEST, FIRST * 2 ** Math.min(this.failures, 6)) * (0.75 + Math.random() / 2));
    this.failures += 1;
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.send(), ms);
  }

  drop(receipt, taken) {
    this.read();
    const queue = this.kept.queue.filter((one) => one.event_id !== receipt.event_id);
    const sent = Object.entries(this.kept.sent).filter(([, at]) => Date.now() - at < MEMORY);
    if (taken) sent.push([name(receipt), Date.now()]);
    this.keep({ queue, sent: Object.fromEntries(sent) });
    this.write();
    if (receipt.kind !== "RECEIVED") this.told(); // nobody sees that one
  }

  keep(kept) {
    this.kept = kept;
    this.byName = new Map(kept.queue.map((one) => [name(one), one]));
  }

  read() {
    const kept = load(this.key);
    if (kept) this.keep(kept);
  }

  write() {
    try {
      localStorage.setItem(this.key, JSON.stringify(this.kept));
    } catch {
      // no room, or not allowed: this tab remembers as long as it lives
    }
  }
}

// How many answers wait on this phone, whoever gave them.
export function waiting() {
  try {
    const queues = Object.keys(localStorage).filter((key) => key.startsWith("haihe.outbox.")).map((key) => load(key));
    return queues.flatMap((kept) => kept?.queue || []).filter((one) => one.kind !== "RECEIVED").length;
  } catch {
    return 0;
  }
}

function load(key) {
  try {
    const kept = JSON.parse(localStorage.getItem(key));
    return Array.isArray(kept?.queue) && kept.sent ? kept : null;
  } catch {
    return null;
  }
}

const name = ({ alert_id: alert, step, kind }) => `${alert}/${step}/${kind}`;

// The status of the answer, 0 without one, and how long to wait at least before the next attempt (ms).
async function post({ event_id, alert_id, kind, outcome, at }) {
  const ago_ms = Math.min(A_DAY, Math.max(0, Date.now() - at));
  try {
    const answer = await fetch(`/alerts/${encodeURIComponent(alert_id)}/receipts`, {
      method: "POST",
      headers: { "Content-Type": "application/json" },
      body: JSON.stringify({ event_id, kind, outcome, ago_ms }),
      cache: "no-store",
      keepalive: true, // the phone may go back into the pocket at once
      signal: AbortSignal.timeout(PATIENCE),
    });
    return { status: answer.status, wait: 1000 * (Number(answer.headers.get("Retry-After")) || 0) };
  } catch {
    return { status: 0, wait: 0 };
  }
}

function uuid() {
  if (crypto.randomUUID) return crypto.randomUUID();
  const bytes = crypto.getRandomValues(new Uint8Array(16)); // a page without TLS: RFC 9562, version 4
  bytes[6] = (bytes[6] & 0x0f) | 0x40;
  bytes[8] = (bytes[8] & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
