// The command page: how one division stands, live, and the divisions in it. The address says which (#120103), so the back
// button and a bookmark do what people expect; every snapshot from the stream is the whole truth, so nothing is added up
// here and a restart of the gateway changes nothing.
import { clock, exact, now, past, period } from "./clock.js";
import { end, keep, whoami } from "./session.js";
import { install } from "./shell.js";
import { Stream } from "./stream.js";
import { Table } from "./table.js";
import { Treemap } from "./treemap.js";
import { COLOUR, lasting, name, OTHER_COLOUR, short, who } from "./words.js";

const TRY_AGAIN = 3000; // ms
const SOON = 500;
const BELOW = { CITY: "各区", DISTRICT: "各街镇", STREET: "各社区" };

const byId = (id) => document.getElementById(id);
const lookForNew = install();
let me = null; // {id, divisions}
let code = null; // the division that is shown
let board = null; // its last snapshot
let stream = null;
let again = null;
let moved = false; // whether the reader went somewhere, and wants to be there

const count = (field, title, down = true) => ({ title, down, value: (row) => row[field], text: (row) => row[field] });
const median = (field, title) => ({ title, down: true, value: (row) => row[field], text: (row) => lasting(row[field]) });
const divisions = new Table(byId("divisions"), [
  { title: "区划", value: (row) => row.code, text: (row) => short(row.name), link: (row) => `#${row.code}` },
  count("open", "未办结"),
  count("unseen", "未查看"),
  { ...count("overdue", "超时"), mark: (row) => (row.overdue ? "over" : "") },
  count("red", "红码"),
  count("orange", "橙码"),
  count("closed", "今日办结"),
  count("retracted", "今日解除"),
  median("seen_median_s", "查看用时"),
  median("acted_median_s", "处置用时"),
], (row) => row.code, 1);

const alerts = new Table(byId("alerts"), [
  { title: "颜色", value: (row) => row.colour, text: (row) => (COLOUR[row.colour] || OTHER_COLOUR)[1], mark: (row) => (COLOUR[row.colour] || OTHER_COLOUR)[0] },
  { title: "当前负责", value: (row) => row.addressee, text: (row) => who({ addressee: row.addressee, level: row.addressee_level }) },
  { title: "情况", value: (row) => Number(row.seen), text: (row) => `${row.seen ? "已查看，待处置" : "待查看"}${row.overdue ? "，超时" : ""}`, mark: (row) => (row.overdue ? "over" : "") },
  { title: "期限", value: (row) => row.due_at, text: (row) => due(row) },
  { title: "发出时间", value: (row) => row.opened_at, text: (row) => clock(row.opened_at) },
], (row) => row.alert_id, 3);

const treemap = new Treemap(byId("tiles"), byId("tile"));

function due({ due_at: at }) {
  if (at === null) return "无";
  const left = at - now();
  return left > 0 ? `剩 ${period(left)}` : `已过 ${period(-left)}`;
}

function draw(fresh) {
  const { division, counts, children, path } = board;
  byId("board").hidden = false;
  byId("problem").hidden = true;
  byId("name").textContent = division.name;
  byId("code").textContent = division.code;
  document.title = `${counts.overdue ? `(超时 ${counts.overdue}) ` : ""}${division.name} 预警总览`;
  for (const cell of document.querySelectorAll("#figures dd")) {
    const value = counts[cell.dataset.of];
    cell.textContent = cell.dataset.of.endsWith("_s") ? lasting(value) : value;
  }
  document.querySelector("#figures .over").classList.toggle("any", counts.overdue > 0);
  const lowest = division.level === "COMMUNITY";
  byId("below").hidden = lowest;
  byId("open").hidden = !lowest;
  byId("below-title").textContent = `${BELOW[division.level] || "下级"}未办结`;
  if (lowest) list(counts.open);
  else {
    treemap.show(children, fresh);
    divisions.show(children);
    const rest = counts.open - children.reduce((sum, child) => sum + child.open, 0);
    byId("rest").hidden = rest <= 0;
    byId("rest").textContent = `另有 ${rest} 条未办结预警没有登记到下级区划。`;
  }
  if (fresh) trail(path.slice(0, -1));
}

function list(open) {
  byId("none").hidden = board.alerts.length > 0;
  byId("alerts").hidden = board.alerts.length === 0;
  byId("more").hidden = open <= board.alerts.length;
  byId("more").textContent = `共 ${open} 条，这里列出期限最近的 ${board.alerts.length} 条。`;
  alerts.show(board.alerts);
}

function trail(above) {
  byId("path").replaceChildren(
    ...above.map((one) => {
      const item = document.createElement("li");
      item.append(Object.assign(document.createElement("a"), { href: `#${one.code}`, textContent: short(one.name) }));
      return item;
    }),
  );
}

function show(state, words) {
  byId("state").dataset.state = state;
  if (byId("state-text").textContent !== words) byId("state-text").textContent = words;
}

function away() {
  const as = board ? `，以下为 ${exact(now() - (Date.now() - stream.heardAt))} 的数据` : "";
  show("connecting", `${navigator.onLine ? "连接中断，正在重新连接" : "没有网络"}${as}`);
}

function problem(words) {
  byId("board").hidden = true;
  byId("problem").hidden = false;
  byId("problem").textContent = words;
}

function take(said) {
  if (said.division.code !== code) return;
  past(said.at);
  const fresh = board?.division.code !== code;
  board = said;
  draw(fresh);
  if (fresh && moved) byId("name").parentElement.focus();
}

// Shows the division of the address, or the viewer's own.
function go() {
  const wanted = location.hash.slice(1) || me.divisions;
  if (wanted === code && stream) return;
  stream?.close();
  code = wanted;
  board = null;
  show("connecting", "正在载入…");
  stream = new Stream(`/divisions/${encodeURIComponent(code)}/alerts`, {
    events: { board: take },
    open: () => {
      show("live", "实时更新");
      lookForNew();
    },
    lost: away,
    refused,
  });
}

function refused(status) {
  const why = { 403: "这个区划不在您的辖区内。", 404: "没有这个区划。" }[status];
  if (!why) {
    clearTimeout(again);
    again = setTimeout(start, SOON); // most likely the login is over; /me knows
    return;
  }
  show("off", "没有数据");
  problem(why);
  byId("name").textContent = "预警总览";
  byId("code").textContent = code;
  document.title = "预警总览";
  trail([{ code: me.divisions, name: "返回本辖区" }]);
  if (moved) byId("name").parentElement.focus();
}

function out(words) {
  end();
  stream?.close();
  stream = board = me = code = null;
  byId("who").textContent = "";
  byId("demo").hidden = true;
  trail([]);
  show("off", words);
  problem("请先登录。");
}

async function start() {
  clearTimeout(again);
  const said = await whoami();
  clearTimeout(again);
  if (said === null) {
    if (byId("state").dataset.state !== "live") away();
    again = setTimeout(start, TRY_AGAIN);
  } else if (said.id === null) out(me ? "登录已失效" : "未登录");
  else if (!said.divisions) {
    out("没有数据");
    byId("who").textContent = name(said.id);
    problem("此页面供值守台使用。");
  } else {
    if (me?.id !== said.id) code = null;
    me = said;
    byId("who").textContent = name(me.id);
    byId("demo").hidden = !me.demo;
    if (stream && code) stream.again();
    else go();
  }
}

keep(start);
addEventListener("hashchange", () => {
  moved = true;
  if (me) go();
});
document.addEventListener("visibilitychange", () => {
  if (document.visibilityState === "visible") start();
});
setInterval(() => {
  if (board?.alerts.length && document.visibilityState === "visible") alerts.hold.ask();
}, 1000);
start();
