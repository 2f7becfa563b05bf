// A treemap of divisions: links whose area is what is open there, so that the eye finds the burden and the finger goes in.
// Squarified (Bruls, Huizing, van Wijk 2000): tiles as square as they can be, the largest first.
import { arrange, Hold } from "./hold.js";
import { short } from "./words.js";

const SETTLED = 5000; // ms between two layouts: numbers change at once, places not under the reader's eye
const LEAST = 1 / 4; // of the mean, or a quiet division could not be hit
const SHARES = [[0, "calm"], [0.1, "some"], [0.3, "many"], [1, "most"]];

// The step of the scale that a share of overdue alerts (0 to 1) is on.
export const tone = (share) => SHARES.find(([most]) => share <= most)[1];

// Rectangles {x, y, width, height} for weights in falling order, filling one of that size.
export function squarify(weights, width, height) {
  const total = weights.reduce((sum, weight) => sum + weight, 0);
  let areas = weights.map((weight) => (weight / total) * width * height);
  let [x, y, w, h] = [0, 0, width, height];
  const out = [];
  while (areas.length) {
    const side = Math.min(w, h);
    let count = 1;
    while (count < areas.length && worst(areas.slice(0, count + 1), side) <= worst(areas.slice(0, count), side)) count += 1;
    const row = areas.slice(0, count);
    const depth = row.reduce((sum, area) => sum + area, 0) / side;
    let along = 0;
    for (const area of row) {
      const length = area / depth;
      out.push(w >= h ? { x, y: y + along, width: depth, height: length } : { x: x + along, y, width: length, height: depth });
      along += length;
    }
    if (w >= h) [x, w] = [x + depth, w - depth];
    else [y, h] = [y + depth, h - depth];
    areas = areas.slice(count);
  }
  return out;
}

// How far from square the worst tile of a row along `side` is.
function worst(row, side) {
  const sum = row.reduce((all, area) => all + area, 0);
  return Math.max(...row.map((area) => Math.max((side * side * area) / (sum * sum), (sum * sum) / (side * side * area))));
}

// Read out as one sentence, seen as lines: the comma is for ears.
function more(node, count, word) {
  if (!count) return node.replaceChildren();
  const pause = Object.assign(document.createElement("span"), { className: "unseen", textContent: "，" });
  return node.replaceChildren(pause, `${word} ${count}`);
}

export class Treemap {
  constructor(list, template) {
    this.list = list;
    this.template = template;
    this.tiles = new Map(); // code -> node
    this.children = [];
    this.laidAt = -SETTLED;
    this.timer = null;
    this.hold = new Hold(list, () => this.lay());
    new ResizeObserver(() => this.hold.ask()).observe(list);
  }

  // `children` of the board; `fresh`: another division than before.
  show(children, fresh) {
    this.children = children;
    if (fresh) this.tiles.clear();
    for (const child of children) this.fill(child);
    clearTimeout(this.timer);
    const wait = this.laidAt + SETTLED - performance.now();
    if (fresh || wait <= 0) this.hold.ask();
    else this.timer = setTimeout(() => this.hold.ask(), wait);
  }

  fill(child) {
    let node = this.tiles.get(child.code);
    if (!node) {
      node = this.template.content.firstElementChild.cloneNode(true);
      this.tiles.set(child.code, node);
    }
    const link = node.querySelector("a");
    link.href = `#${child.code}`;
    link.dataset.tone = child.open ? tone(child.overdue / child.open) : "none";
    const [name, , open, overdue, unseen] = link.children;
    name.textContent = short(child.name);
    open.textContent = child.open;
    more(overdue, child.overdue, "超时");
    more(unseen, child.unseen, "未查看");
  }

  lay() {
    const { clientWidth: width, clientHeight: height } = this.list;
    if (!width || !this.children.length) return arrange(this.list, []);
    this.laidAt = performance.now();
    const open = new Map(this.children.map((child) => [child.code, child.open + 1]));
    const least = (LEAST * [...open.values()].reduce((sum, one) => sum + one, 0)) / open.size;
    const weight = (code) => Math.max(open.get(code), least);
    const codes = [...open.keys()].sort((a, b) => open.get(b) - open.get(a) || (a < b ? -1 : 1));
    const boxes = squarify(codes.map(weight), width, height);
    let moved = arrange(this.list, codes.map((code) => this.tiles.get(code)));
    codes.forEach((code, i) => {
      const { style } = this.tiles.get(code);
      const place = { left: boxes[i].x / width, top: boxes[i].y / height, width: boxes[i].width / width, height: boxes[i].height / height };
      for (const [name, share] of Object.entries(place)) {
        const value = `${(share * 100).toFixed(2)}%`;
        if (style[name] !== value) moved = true;
        style[name] = value;
      }
    });
    return moved;
  }
}
