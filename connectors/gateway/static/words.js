// What things are called, for those who read the pages. No part of the pages says a colour by colour alone.
export const COLOUR = { RED: ["red", "红码"], ORANGE: ["orange", "橙码"] };
export const OTHER_COLOUR = ["other", "健康码异常"];

const LEVEL = {
  GRID_WORKER: "网格员",
  BACKUP: "备岗网格员",
  COMMUNITY: "社区值守台",
  STREET: "街镇值守台",
  DISTRICT: "区级值守台",
  CITY: "市级值守台",
};

export const OUTCOME = { VISITED: "已上门核实", PHONED: "已电话核实", ISOLATED: "已转隔离", OTHER: "其他" };

// 网格员 gw-000123, 值守台 120101: as who is logged in.
export function name(addressee) {
  return addressee.startsWith("desk-") ? `值守台 ${addressee.slice(5)}` : `网格员 ${addressee}`;
}

// A step's addressee with its level: 街镇值守台 120101001, 备岗网格员 gw-022400; 您 when it is oneself.
export function who({ addressee, level }, me) {
  if (addressee === me) return "您";
  const title = LEVEL[level] || LEVEL.CITY;
  return `${title} ${addressee.startsWith("desk-") ? addressee.slice(5) : addressee}`;
}

// Why a receipt was not taken, by the HTTP status that says so.
export function refusal(status) {
  const why = {
    403: "这条预警没有派给您",
    404: "系统里没有这条预警",
    413: "内容过长",
    422: "内容不符合要求",
  };
  return `回执未被接受：${why[status] || "内容有误"}（${status}）。如有疑问，请联系值守台。`;
}

// A division's name where there is little room.
export const short = (name) => name.replace(/居民委员会$|居委会$|村委会$|街道办事处$/, "") || name;

// A period in whole seconds, as people say it; 无 without one.
export function lasting(seconds) {
  if (seconds === null) return "无";
  if (seconds < 60) return `${seconds}秒`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}分${seconds % 60 ? `${seconds % 60}秒` : ""}`;
  return `${Math.floor(seconds / 3600)}小时${Math.floor(seconds / 60) % 60}分`;
}
