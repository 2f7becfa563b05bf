// Lists that change by themselves while people touch them: nothing moves under a pressing thumb, a tap that was aimed at
// what stood there before is not taken, and the focus stays where it is.
export const AIM = 350; // ms between seeing a thing and hitting it
const LONGEST = 10_000; // a press that never ends, as some browsers have it after a long one

export class Hold {
  // draw() changes what is in `node`; it returns whether anything moved.
  constructor(node, draw) {
    this.draw = draw;
    this.pressed = 0;
    this.movedAt = -AIM;
    this.wanted = false;
    this.astray = false;
    node.addEventListener("pointerdown", () => {
      this.pressed = performance.now();
      this.astray = this.pressed - this.movedAt < AIM;
    });
    for (const end of ["pointerup", "pointercancel"]) addEventListener(end, () => this.release());
    const refuse = (event) => {
      if (event.detail > 0 && this.astray) {
        event.preventDefault();
        event.stopPropagation();
      }
    };
    node.addEventListener("click", refuse, true);
  }

  get pressing() {
    return this.pressed > 0 && performance.now() - this.pressed < LONGEST;
  }

  release() {
    if (!this.pressed) return;
    // The click comes after the release, and belongs to what was pressed.
    setTimeout(() => {
      this.pressed = 0;
      this.astray = false;
      if (this.wanted) this.ask();
    }, 50);
  }

  // Draws now, or as soon as nothing is being pressed.
  ask() {
    this.wanted = this.pressing;
    if (!this.wanted && this.draw()) this.movedAt = performance.now();
  }
}

// Makes `nodes` the children of `list`, in that order. The one that holds the focus is never moved, for a node that is
// moved loses it: the others are put around it. Returns whether anything moved.
export function arrange(list, nodes) {
  let moved = false;
  const kept = new Set(nodes);
  for (const node of [...list.children]) {
    if (!kept.has(node)) {
      node.remove();
      moved = true;
    }
  }
  const still = nodes.findIndex((node) => node.contains(document.activeElement));
  let next = null;
  for (let i = nodes.length - 1; i >= 0; i -= 1) {
    if (i !== still && (nodes[i].parentNode !== list || nodes[i].nextElementSibling !== next)) {
      list.insertBefore(nodes[i], next);
      moved = true;
    }
    next = nodes[i];
  }
  return moved;
}
