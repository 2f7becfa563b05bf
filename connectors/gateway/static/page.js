// The grid worker's page. The stream is the only source of what is open: `reset` empties the page, every `alert` opens,
// changes or ends one card. What he presses goes into the outbox first, and shows at once as on its way.
import { Alerts, standing } from "./alerts.js";
import { past } from "./clock.js";
import { aloud, List } from "./list.js";
import { News } from "./news.js";
import { Outbox, waiting } from "./outbox.js";
import { Sheet } from "./sheet.js";
import { end, keep, whoami } from "./session.js";
import { install } from "./shell.js";
import { Stream } from "./stream.js";
import { name, refusal } from "./words.js";

const TRY_AGAIN = 3000; // ms
const SOON = 500;
const TOGETHER = 30;

const byId = (id) => document.getElementById(id);
const news = new News(byId("news"));
const sheet = new Sheet(byId("sheet"), (event, outcome) => answer(event, "ACTED", outcome));
const list = new List({
  see: (event) => answer(event, "SEEN"),
  act: (event) => sheet.ask(event),
  say: (words) => news.say(words),
});
let alerts = null;
let outbox = null;
let stream = null;
let again = null;
let soon = null;

function answer(event, kind, outcome = null) {
  const now = alerts?.open.get(event.alert_id); // it may have gone up or ended while the sheet was open
  if (!now) return;
  outbox.add({ alert: now.alert_id, step: standing(now, alerts.me).mine.told_at, kind, outcome });
  refresh();
}

// The phone itself says, once, that it has an alert.
function received() {
  const said = (alert, step) => outbox.waiting(alert, step, "RECEIVED") || outbox.sent(alert, step, "RECEIVED");
  const fresh = [...alerts.open.values()].flatMap((event) => {
    const { mine } = standing(event, alerts.me);
    if (mine.received_at != null || said(event.alert_id, mine.told_at)) return [];
    return [{ alert: event.alert_id, step: mine.told_at, kind: "RECEIVED" }];
  });
  if (fresh.length) outbox.add(...fresh);
}

function take(event) {
  if (event.recorded_at) past(event.recorded_at);
  const { did, held } = alerts.take(event);
  if (did === "opened") news.alert(event.alert_id, aloud(event, alerts.me));
  if (did === "changed" && event.state === "ESCALATED" && !standing(event, alerts.me).myTurn) {
    news.say(aloud(event, alerts.me).replace(/^新预警/, "已上报"));
  }
  if (did === "ended" || did === "relieved") {
    sheet.gone(event.alert_id);
    list.over(held, event, did);
  }
  soon ??= setTimeout(settle, TOGETHER);
}

// After a reconnection events come by the thousand: drawn together.
function settle() {
  soon = null;
  if (alerts) received();
  refresh();
}

function refresh() {
  list.draw();
  const count = alerts ? alerts.open.size : 0;
  const live = byId("state").dataset.state === "live";
  byId("count").hidden = count === 0;
  byId("count").textContent = count;
  byId("empty").hidden = count > 0 || !live;
  byId("ended").hidden = byId("ended-list").children.length === 0;
  const unsent = alerts ? 0 : waiting(); // on the cards otherwise
  byId("unsent").textContent = unsent ? `有 ${unsent} 条回执待发送，联网并登录后自动发出。` : "";
  document.title = count ? `(${count}) 健康码预警` : "健康码预警";
}

function show(state, words) {
  byId("state").dataset.state = state;
  if (byId("state-text").textContent !== words) byId("state-text").textContent = words;
  refresh();
}

function away() {
  const stale = alerts?.open.size ? "以下内容可能不是最新的" : "恢复后会自动显示预警";
  show("connecting", navigator.onLine ? `连接中断，正在重新连接，${stale}` : `手机没有网络，${stale}`);
}

const lookForNew = install();

function listen(me) {
  stream = new Stream(`/grid-workers/${me}/alerts`, {
    events: {
      reset: () => {
        alerts.reset();
        soon ??= setTimeout(settle, TOGETHER);
      },
      alert: take,
    },
    open: () => {
      show("live", "已连接，预警会自动出现");
      outbox.hurry();
      lookForNew();
    },
    lost: away,
    refused: () => { // most likely the login is over; /me knows
      clearTimeout(again);
      again = setTimeout(start, SOON);
    },
  });
}

function leave() {
  stream?.close();
  outbox?.stop();
  stream = outbox = alerts = null;
  list.of(null, null);
  sheet.close();
  news.clear();
}

function out(demo) {
  const was = alerts !== null;
  end();
  leave(); // nothing about people stays in sight
  byId("who").textContent = "";
  byId("command").hidden = true;
  byId("demo").hidden = true;
  byId("login").hidden = !demo;
  byId("out").hidden = demo;
  show("off", was ? "登录已失效" : "未登录");
}

function enter({ id, demo, divisions }) {
  byId("demo").hidden = !demo;
  byId("login").hidden = true;
  byId("out").hidden = true;
  byId("who").textContent = name(id);
  byId("command").hidden = !divisions;
  if (alerts?.me === id) return stream.again();
  leave(); // another person on this phone: nothing of the former may stay
  alerts = new Alerts(id);
  outbox = new Outbox(id, {
    told: refresh,
    refused: (receipt, status) => {
      if (receipt.kind === "RECEIVED") return; // nobody pressed anything
      list.refused.set(receipt.alert_id, refusal(status));
      news.say(refusal(status));
      refresh();
    },
    out: start,
  });
  list.of(alerts, outbox);
  listen(id);
  return refresh();
}

async function start() {
  clearTimeout(again);
  const said = await whoami();
  clearTimeout(again);
  if (said === null) {
    if (byId("state").dataset.state !== "live") away();
    again = setTimeout(start, TRY_AGAIN);
  } else if (said.id === null) out(said.demo);
  else enter(said);
}

keep(start);
addEventListener("online", () => { if (!alerts) start(); });
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") start(); // the clock, the login, the stream: all may have slept
});
start();
