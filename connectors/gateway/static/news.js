// What a screen reader says by itself: each thing once, politely, and a crowd of them as a number.
const TOGETHER = 400; // ms
const MANY = 3;
const KEPT = 6;

export class News {
  constructor(node) {
    this.node = node;
    this.lines = [];
    this.alerts = [];
    this.told = new Set(); // alert_ids
    this.timer = null;
  }

  say(words) {
    this.lines.push(words);
    this.soon();
  }

  // A new alert: `words` unless it was told before, or comes with many others.
  alert(id, words) {
    if (this.told.has(id)) return;
    this.told.add(id);
    this.alerts.push(words);
    this.soon();
  }

  clear() {
    clearTimeout(this.timer);
    this.timer = null;
    this.lines = [];
    this.alerts = [];
    this.told.clear();
    this.node.replaceChildren();
  }

  soon() {
    this.timer ??= setTimeout(() => this.flush(), TOGETHER);
  }

  flush() {
    this.timer = null;
    const alerts = this.alerts.length > MANY ? [`有 ${this.alerts.length} 条待处理的预警`] : this.alerts;
    for (const words of [...this.lines, ...alerts]) {
      this.node.append(Object.assign(document.createElement("p"), { textContent: words }));
    }
    while (this.node.children.length > KEPT) this.node.firstChild.remove();
    this.lines = [];
    this.alerts = [];
  }
}
