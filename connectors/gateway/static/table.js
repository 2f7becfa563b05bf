// A table that sorts by what its reader presses, and goes on sorting as its numbers change. It says the same as the
// treemap: it is what screen readers read and sceptics check.
import { arrange, Hold } from "./hold.js";

export class Table {
  // columns: {title, value(row) -> what is sorted by, text(row) -> what is read, link(row)?, down?: largest first}
  constructor(table, columns, key, first) {
    this.columns = columns;
    this.key = key;
    this.by = first;
    this.rows = [];
    this.nodes = new Map();
    this.head = table.tHead.rows[0];
    this.body = table.tBodies[0];
    this.hold = new Hold(this.body, () => this.render());
    this.down = Boolean(columns[first].down);
    this.head.replaceChildren(...columns.map((column, at) => this.header(column, at)));
    this.mark();
  }

  header({ title }, at) {
    const cell = Object.assign(document.createElement("th"), { scope: "col" });
    const button = Object.assign(document.createElement("button"), { type: "button", textContent: title });
    button.addEventListener("click", () => {
      this.down = this.by === at ? !this.down : Boolean(this.columns[at].down);
      this.by = at;
      this.mark();
      this.hold.ask();
    });
    cell.append(button);
    return cell;
  }

  mark() {
    [...this.head.cells].forEach((cell, at) => {
      if (at === this.by) cell.ariaSort = this.down ? "descending" : "ascending";
      else cell.removeAttribute("aria-sort");
    });
  }

  show(rows) {
    this.rows = rows;
    this.hold.ask();
  }

  render() {
    const { value } = this.columns[this.by];
    const sign = this.down ? -1 : 1;
    const sorted = [...this.rows].sort((a, b) => compare(value(a), value(b), sign) || compare(this.key(a), this.key(b), 1));
    const gone = new Set(this.nodes.keys());
    const nodes = sorted.map((row) => {
      const key = this.key(row);
      gone.delete(key);
      if (!this.nodes.has(key)) this.nodes.set(key, this.blank());
      return this.fill(this.nodes.get(key), row);
    });
    gone.forEach((key) => this.nodes.delete(key));
    return arrange(this.body, nodes);
  }

  blank() {
    const row = document.createElement("tr");
    this.columns.forEach(({ link }, at) => {
      const cell = document.createElement(at ? "td" : "th");
      if (!at) cell.scope = "row";
      if (link) cell.append(document.createElement("a"));
      row.append(cell);
    });
    return row;
  }

  fill(node, row) {
    this.columns.forEach(({ text, link, mark }, at) => {
      const cell = node.cells[at];
      const part = link ? cell.firstChild : cell;
      const words = String(text(row));
      if (part.textContent !== words) part.textContent = words;
      if (link) part.href = link(row);
      if (mark) cell.className = mark(row);
    });
    return node;
  }
}

// What is not there comes last, whichever way.
function compare(a, b, sign) {
  if (a === b) return 0;
  if (a === null || b === null) return a === null ? 1 : -1;
  return sign * (typeof a === "string" ? a.localeCompare(b, "zh-CN") : a - b);
}
