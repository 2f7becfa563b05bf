// Server-sent events (HTML living standard, section 9.2) over fetch. The browser's EventSource hides what these pages must
// tell people: a connection that has died silently (a phone that left the Wi-Fi; the server says something every 15
// seconds, but not in events), and whether a refusal means "log in" or "not yours".
const SILENCE = 45_000; // three heartbeats
const LONGEST = 20_000; // between two attempts
const HELD = 75_000; // a server that builds its index holds who comes early for a minute

export class Stream {
  // events: name -> function(data); open(); lost(); refused(status), after which it rests until again().
  constructor(url, { events, open, lost, refused }) {
    Object.assign(this, { url, events, open, lost, refused });
    this.lastId = "";
    this.retry = 1500;
    this.failures = 0;
    this.closed = false;
    this.wake = null;
    this.abort = null;
    this.heardAt = Date.now(); // anything at all, by the phone's clock
    // A phone that changed its network holds a connection that nobody answers any more.
    this.moved = () => {
      this.abort?.abort();
      this.again();
    };
    addEventListener("online", this.moved);
    addEventListener("offline", this.moved);
    this.run();
  }

  close() {
    this.closed = true;
    removeEventListener("online", this.moved);
    removeEventListener("offline", this.moved);
    this.abort?.abort();
    this.wake?.();
  }

  // Tries now: the network is back, or somebody looks again.
  again() {
    this.failures = 0;
    this.wake?.();
  }

  async run() {
    while (!this.closed) {
      const status = await this.connect();
      if (this.closed) return;
      if (status >= 400 && status < 500 && status !== 429) {
        this.refused(status);
        await new Promise((resolve) => { this.wake = resolve; });
      } else {
        this.lost();
        await this.pause();
      }
    }
  }

  async pause() {
    const ms = Math.min(LONGEST, this.retry * 2 ** Math.min(this.failures, 6)) * (0.75 + Math.random() / 2);
    this.failures += 1;
    await new Promise((resolve) => {
      this.wake = resolve;
      setTimeout(resolve, ms);
    });
    this.wake = null;
  }

  // One connection, until it ends. Returns the status of an answer that was not a stream, 0 for any other end.
  async connect() {
    const abort = (this.abort = new AbortController());
    let watch = null;
    const alive = (patience) => {
      clearTimeout(watch);
      watch = setTimeout(() => abort.abort(), patience);
    };
    try {
      alive(HELD);
      const headers = this.lastId ? { "Last-Event-ID": this.lastId } : {};
      const answer = await fetch(this.url, { headers, signal: abort.signal, cache: "no-store" });
      if (!answer.ok) return answer.status;
      this.failures = 0;
      this.open();
      const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
      let rest = "";
      for (;;) {
        alive(SILENCE);
        const { done, value } = await reader.read();
        if (done || this.closed) return 0;
        this.heardAt = Date.now();
        const blocks = (rest + value).split("\n\n");
        rest = blocks.pop();
        blocks.forEach((block) => this.take(block));
      }
    } catch {
      return 0;
    } finally {
      clearTimeout(watch);
    }
  }

  take(block) {
    let name = "message";
    let data = null;
    let id = null;
    for (const line of block.split("\n")) {
      const at = line.indexOf(":");
      const field = at < 0 ? line : line.slice(0, at);
      const value = at < 0 ? "" : line.slice(at + 1).replace(/^ /, "");
      if (field === "event") name = value;
      else if (field === "data") data = data === null ? value : `${data}\n${value}`;
      else if (field === "id") id = value;
      else if (field === "retry" && /^\d+$/.test(value)) this.retry = Number(value);
    }
    // `reset` starts afresh: until the server says an id again there is nothing to go on from.
    if (id !== null || name === "reset") this.lastId = id || "";
    if (data === null || !this.events[name]) return;
    try {
      this.events[name](JSON.parse(data));
    } catch (error) {
      reportError(error); // our fault, and no reason to stop listening
    }
  }
}
