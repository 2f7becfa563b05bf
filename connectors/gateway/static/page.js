// The grid worker's open alerts, as they come. The stream is the only source: `reset` empties the page, every `alert`
// opens, changes or ends one card. EventSource reconnects by itself and says where it stopped (Last-Event-ID); only when
// it gives up for good (any answer but 200) do we start another from the last id that we saw.
"use strict";

const COLOUR = { RED: ["red", "红码"], ORANGE: ["orange", "橙码"] };
const STATE = { RAISED: "待处理", ESCALATED: "已上报", HANDED_OVER: "已转交" };
const ENDED = { RETRACTED: "已撤销", CLOSED: "已办结" };
const REMEMBERED = 5000; // event ids, to tell repeats
const SHOWN_ENDED = 5;

const byId = (id) => document.getElementById(id);
const open = new Map(); // alert_id -> { event, node }
const over = new Set(); // alert_ids that are final
const seen = new Set(); // event_ids
let me = null;
let lastId = "";

function remember(set, value) {
  if (set.has(value)) return false;
  set.add(value);
  if (set.size > REMEMBERED) set.delete(set.values().next().value);
  return true;
}

function clock(ms) {
  return new Date(ms).toLocaleString("zh-CN", { timeZone: "Asia/Shanghai", month: "numeric", day: "numeric", hour: "2-digit", minute: "2-digit", hour12: false });
}

function text(node, selector, value) {
  const part = node.querySelector(selector);
  part.textContent = value || "";
  part.hidden = !value;
}

function draw(node, event) {
  const [tone, name] = COLOUR[event.colour] || ["other", "健康码异常"];
  node.className = `card ${tone}`;
  node.dataset.alert = event.alert_id;
  text(node, ".colour-text", name);
  text(node, ".state-of", STATE[event.state] || "待处理");
  text(node, ".person", event.person_name || "姓名未知");
  text(node, ".address", event.address || (event.cell ? `网格 ${event.cell}` : `区划 ${event.division || "未知"}，无住址登记`));
  text(node, ".time", event.opened_at ? `${clock(event.opened_at)} 起` : "");
  const phone = node.querySelector(".phone");
  phone.hidden = !event.phone;
  if (event.phone) {
    phone.href = `tel:${event.phone.replace(/[^0-9+]/g, "")}`;
    phone.textContent = `拨打 ${event.phone}`;
  }
}

function end(event, word) {
  const held = open.get(event.alert_id);
  if (!held) return;
  held.node.remove();
  open.delete(event.alert_id);
  const line = document.createElement("li");
  line.textContent = `✓ ${held.event.person_name || "姓名未知"} ${word}（${clock(event.occurred_at || event.recorded_at)}）`;
  byId("ended-list").prepend(line);
  while (byId("ended-list").children.length > SHOWN_ENDED) byId("ended-list").lastChild.remove();
}

function take(event) {
  if (!remember(seen, event.event_id)) return;
  if (ENDED[event.state]) {
    remember(over, event.alert_id);
    end(event, ENDED[event.state]);
  } else if (event.addressee !== me) {
    end(event, "已转交他人");
  } else if (!over.has(event.alert_id)) {
    const held = open.get(event.alert_id);
    const node = held ? held.node : byId("card").content.firstElementChild.cloneNode(true);
    draw(node, event);
    if (!held) byId("alerts").prepend(node);
    open.set(event.alert_id, { event, node });
  }
}

function reset() {
  open.clear();
  over.clear();
  seen.clear();
  byId("alerts").replaceChildren();
  byId("ended-list").replaceChildren();
}

function refresh() {
  const count = open.size;
  byId("count").hidden = count === 0;
  byId("count").textContent = count;
  byId("empty").hidden = count > 0 || byId("state").dataset.state !== "live";
  byId("ended").hidden = byId("ended-list").children.length === 0;
  document.title = count ? `(${count}) 健康码预警` : "健康码预警";
}

function show(state, words) {
  byId("state").dataset.state = state;
  byId("state-text").textContent = words;
  refresh();
}

function listen() {
  const place = lastId ? `?last_event_id=${encodeURIComponent(lastId)}` : "";
  const stream = new EventSource(`/grid-workers/${me}/alerts${place}`);
  stream.onopen = () => show("live", "已连接，预警会自动出现");
  stream.onerror = () => {
    show("connecting", "连接中断，正在重新连接…");
    if (stream.readyState === EventSource.CLOSED) setTimeout(start, 3000);
  };
  stream.addEventListener("reset", (message) => {
    reset();
    lastId = message.lastEventId;
    refresh();
  });
  stream.addEventListener("alert", (message) => {
    take(JSON.parse(message.data));
    lastId = message.lastEventId;
    refresh();
  });
}

async function start() {
  let answer;
  try {
    answer = await fetch("/me");
  } catch {
    show("connecting", "连接中断，正在重新连接…");
    setTimeout(start, 3000);
    return;
  }
  const { id, demo } = await answer.json();
  byId("demo").hidden = !(demo && id);
  if (!answer.ok) {
    show("off", "未登录");
    byId("login").hidden = !demo;
    byId("out").hidden = demo;
    return;
  }
  if (me !== null && me !== id) {
    // Another person logged in on this phone: nothing of the former may stay.
    lastId = "";
    reset();
  }
  me = id;
  byId("who").textContent = id.startsWith("desk-") ? `值守台 ${id.slice(5)}` : `网格员 ${id}`;
  listen();
}

start();
