// One open alert on the screen: who, where, by when, who else knows, and what to press.
import { standing } from "./alerts.js";
import { clock, now, period } from "./clock.js";
import { COLOUR, OTHER_COLOUR, OUTCOME, who } from "./words.js";

export const colour = (event) => COLOUR[event.colour] || OTHER_COLOUR;

export const person = (event) => event.person_name || "姓名未登记";

export function place(event) {
  if (event.address) return event.address;
  return event.cell ? `网格 ${event.cell}` : `区划 ${event.division || "未知"}，无住址登记`;
}

export function blank(template) {
  return template.content.firstElementChild.cloneNode(true);
}

function text(node, selector, value) {
  const part = node.querySelector(selector);
  if (part.textContent !== (value || "")) part.textContent = value || "";
  part.hidden = !value;
}

// Whether I have said that I acted, and only the bus does not know yet.
export function answered({ alert_id: id }, { told_at: step }, outbox) {
  return Boolean(outbox.waiting(id, step, "ACTED")) || outbox.sent(id, step, "ACTED");
}

// What of my answer is on its way: {seen, act} as "", "waiting" (on this phone) or "sent", and the waiting outcome.
function answers(event, { mine }, outbox) {
  const id = event.alert_id;
  const state = (kind) => {
    if (outbox.waiting(id, mine.told_at, kind)) return "waiting";
    return outbox.sent(id, mine.told_at, kind) ? "sent" : "";
  };
  return { seen: state("SEEN"), act: state("ACTED"), outcome: outbox.waiting(id, mine.told_at, "ACTED")?.outcome };
}

export function draw(node, event, { me, outbox, refused }) {
  const stand = standing(event, me);
  const { mine, myTurn } = stand;
  const answer = answers(event, stand, outbox);
  const [tone, name] = colour(event);
  node.className = `card ${tone}`;
  node.dataset.alert = event.alert_id;
  text(node, ".colour-text", name);
  text(node, ".person", person(event));
  text(node, ".address", place(event));
  text(node, ".time", event.opened_at ? `${clock(event.opened_at)} 起` : "");
  text(node, ".tag", tag(stand, answer));
  tick(node, event, { me, outbox });
  steps(node.querySelector(".steps"), sentences(stand, me));
  text(node, ".pending", pending(answer));
  text(node, ".refused", refused);
  phone(node.querySelector(".phone"), event);
  const [seen, act] = [node.querySelector(".seen"), node.querySelector(".act")];
  const done = Boolean(answer.act);
  const focused = node.contains(document.activeElement) ? document.activeElement : null;
  seen.hidden = done || Boolean(answer.seen) || mine.seen_at != null;
  act.hidden = done;
  act.classList.toggle("main", seen.hidden);
  for (const button of [seen, act]) button.setAttribute("aria-label", `${button.textContent}：${name} ${person(event)}`);
  // A button that goes takes the focus along, so it is handed on first.
  if (focused?.hidden) (act.hidden ? node.querySelector(".title") : act).focus({ preventScroll: true });
}

function tag({ mine, myTurn }, answer) {
  if (answer.act) return answer.act === "sent" ? "已发送" : "待发送";
  if (!myTurn) return "已上报";
  return mine.seen_at == null ? "待查看" : "待处置";
}

// The countdown alone: every second, by the server's clock.
export function tick(node, event, { me, outbox }) {
  const stand = standing(event, me);
  const words = due(event, stand, answers(event, stand, outbox));
  text(node, ".due-text", words.text);
  const part = node.querySelector(".due");
  part.hidden = !words.text;
  part.classList.toggle("late", words.late);
}

function due(event, { mine, myTurn }, answer) {
  const seen = mine.seen_at != null;
  if (answer.act) return { text: "", late: false };
  if (!myTurn) return { text: `未按时${seen ? "处置" : "查看"}，已上报上一级，请尽快处置`, late: true };
  const verb = seen ? "处置" : "查看";
  if (event.due_at == null) return { text: `请尽快${verb}`, late: false };
  const left = event.due_at - now();
  const late = left <= 0;
  if (!seen && answer.seen === "sent") return { text: "已看到，正在确认…", late: false };
  if (!seen && answer.seen) return { text: late ? "回执还没发出，请尽快联网" : `请在 ${period(left)} 内联网发出回执`, late };
  return { text: late ? `已超时 ${period(-left)}，请立即${verb}` : `请在 ${period(left)} 内${verb}`, late };
}

function pending({ seen, act, outcome }) {
  const words = [];
  if (seen === "waiting") words.push("已看到");
  if (act === "waiting") words.push(`已处置（${OUTCOME[outcome] || OUTCOME.OTHER}）`);
  if (words.length) return `待发送：${words.join("、")}`;
  return act === "sent" ? "已发送：已处置，等待系统办结" : "";
}

// Who else was told, and where the alert is now, in sentences.
export function sentences({ told, current, myTurn }, me) {
  const late = { UNSEEN: "未按时查看", NOT_ACTED: "未按时处置" };
  const lines = [];
  const former = told[told.length - 2];
  if (myTurn && former) {
    const why = late[current.cause];
    lines.push(why ? `${who(former, me)} ${why}，已上报给您` : `由 ${who(former, me)} 转交给您`);
  } else if (!myTurn) {
    lines.push(`已上报至 ${who(current, me)}${current.seen_at == null ? "，对方尚未查看" : ""}`);
  }
  const latest = new Map(told.map((step) => [step.addressee, step]));
  for (const step of latest.values()) {
    if (step.addressee !== me && step.seen_at != null) lines.push(`已由 ${who(step, me)} 查看（${clock(step.seen_at)}）`);
  }
  return lines;
}

function steps(list, lines) {
  list.hidden = !lines.length;
  if ([...list.children].map((item) => item.textContent).join("\n") === lines.join("\n")) return;
  list.replaceChildren(
    ...lines.map((line) => Object.assign(document.createElement("li"), { textContent: line })),
  );
}

function phone(link, event) {
  link.hidden = !event.phone;
  if (!event.phone) return;
  link.href = `tel:${event.phone.replace(/[^0-9+]/g, "")}`;
  link.querySelector(".number").textContent = `拨打 ${event.phone}`;
}
