// The open alerts as cards, and those that have just ended as lines.
import { acted, standing } from "./alerts.js";
import { answered, blank, colour, draw, person, place, sentences, tick } from "./card.js";
import { clock, now } from "./clock.js";
import { arrange, Hold } from "./hold.js";
import { OUTCOME, who } from "./words.js";

const SHOWN_ENDED = 5;

export class List {
  // see(event), act(event): a button of a card was pressed. say(words): for those who listen instead of looking.
  constructor({ see, act, say }) {
    this.node = document.getElementById("alerts");
    this.ended = document.getElementById("ended-list");
    this.template = document.getElementById("card");
    this.cards = new Map(); // alert_id -> node
    this.refused = new Map(); // alert_id -> sentence
    this.say = say;
    this.hold = new Hold(this.node, () => this.render());
    this.alerts = null;
    this.outbox = null;
    this.node.addEventListener("click", (click) => {
      const button = click.target.closest("button");
      const event = button && this.alerts?.open.get(button.closest(".card").dataset.alert);
      if (!event) return;
      this.refused.delete(event.alert_id);
      (button.classList.contains("seen") ? see : act)(event);
    });
    setInterval(() => {
      if (document.visibilityState === "visible" && !this.hold.pressing) this.tick();
    }, 1000);
  }

  // Whose alerts these are from now on.
  of(alerts, outbox) {
    this.alerts = alerts;
    this.outbox = outbox;
    this.refused.clear();
    this.ended.replaceChildren();
    this.render(); // whatever is being pressed
  }

  draw() {
    this.hold.ask();
  }

  context(id) {
    return { me: this.alerts.me, outbox: this.outbox, refused: this.refused.get(id) };
  }

  render() {
    const events = this.alerts?.inOrder((event, mine) => answered(event, mine, this.outbox)) || [];
    const open = new Set(events.map((event) => event.alert_id));
    let moved = false;
    for (const [id, node] of this.cards) {
      if (open.has(id)) continue;
      this.leave(node, open);
      this.cards.delete(id);
      this.refused.delete(id);
      moved = true;
    }
    const nodes = events.map((event) => {
      const node = this.cards.get(event.alert_id) || blank(this.template);
      this.cards.set(event.alert_id, node);
      draw(node, event, this.context(event.alert_id));
      return node;
    });
    return arrange(this.node, nodes) || moved;
  }

  tick() {
    for (const [id, node] of this.cards) {
      const event = this.alerts?.open.get(id);
      if (event) tick(node, event, this.context(id));
    }
  }

  // A card that goes hands the focus to its neighbour that stays.
  leave(node, open) {
    if (node.contains(document.activeElement)) {
      const cards = [...this.node.children];
      const here = cards.indexOf(node);
      const next = [...cards.slice(here + 1), ...cards.slice(0, here).reverse()].find((one) => open.has(one.dataset.alert));
      (next?.querySelector(".title") || document.querySelector("h1")).focus({ preventScroll: true });
    }
    node.remove();
  }

  // An alert left: a line says what became of it.
  over(held, event, did) {
    const [words, aloud] = ending(held, event, did, this.alerts.me);
    const line = document.createElement("li");
    line.textContent = `✓ ${person(held)} ${words} ${clock(event.occurred_at || event.recorded_at || now())}`;
    this.ended.prepend(line);
    while (this.ended.children.length > SHOWN_ENDED) this.ended.lastChild.remove();
    this.say(`${person(held)} ${aloud}`);
  }
}

function ending(held, event, did, me) {
  if (did === "relieved") {
    const { current } = standing(event, me);
    return [`已转交（${who(current, me)}）`, "的预警已转交"];
  }
  const by = event.state === "CLOSED" ? acted(event) : null;
  if (!by) return ["已解除", "的预警已解除"];
  return [`已办结（${who(by, me)}，${OUTCOME[by.outcome] || OUTCOME.OTHER}）`, `的预警已由${who(by, me)}办结`];
}

// What is read out when an alert comes.
export function aloud(event, me) {
  const words = [`新预警：${colour(event)[1]}，${person(event)}，${place(event)}`, ...sentences(standing(event, me), me)];
  const minutes = event.due_at == null ? 0 : Math.ceil((event.due_at - now()) / 60_000);
  if (minutes > 0 && standing(event, me).myTurn) words.push(`请在 ${minutes} 分钟内查看`);
  return words.join("。");
}
