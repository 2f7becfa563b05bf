// The server's time on a phone whose clock may be wrong. Each answer of the server bounds the difference between the two
// clocks from both sides; what it says within a stream bounds it from one. The phone's clock only measures what passes.
let low = null; // the server is at least this far ahead of the phone, in ms
let high = null; // and at most this far

const SECOND = 1000; // an HTTP date is cut down to whole seconds

// `date`: the Date header of an answer to a request that was sent at `sent` and is here now (both the phone's time, ms).
export function heard(date, sent) {
  const server = Date.parse(date);
  if (Number.isNaN(server)) return;
  const least = server - Date.now();
  const most = server + SECOND - sent;
  // Bounds that exclude each other: the phone's clock was set meanwhile.
  const fits = low !== null && least <= high && most >= low;
  low = fits ? Math.max(low, least) : least;
  high = fits ? Math.min(high, most) : most;
}

// `server`: a time (ms) that the server knows to be past.
export function past(server) {
  const least = server - Date.now();
  if (low !== null && least > low && least <= high) low = least;
}

// The server's time, in ms since 1970.
export function now() {
  return Date.now() + (low === null ? 0 : Math.round((low + high) / 2));
}

const two = (number) => String(number).padStart(2, "0");

// A period in ms as people read a countdown: 4:32, 1:52:10.
export function period(ms) {
  const seconds = Math.max(0, Math.ceil(ms / SECOND));
  const [hours, minutes] = [Math.floor(seconds / 3600), Math.floor(seconds / 60) % 60];
  return hours ? `${hours}:${two(minutes)}:${two(seconds % 60)}` : `${minutes}:${two(seconds % 60)}`;
}

const TIANJIN = { timeZone: "Asia/Shanghai", hour: "2-digit", minute: "2-digit", hourCycle: "h23" };
const TIME = new Intl.DateTimeFormat("zh-CN", TIANJIN);
const DAY = new Intl.DateTimeFormat("zh-CN", { timeZone: "Asia/Shanghai", month: "long", day: "numeric" });
const EXACT = new Intl.DateTimeFormat("zh-CN", { ...TIANJIN, second: "2-digit" });

// 14:05, or 11月21日 14:05 when that is another day.
export function clock(ms) {
  const day = DAY.format(ms);
  return day === DAY.format(now()) ? TIME.format(ms) : `${day} ${TIME.format(ms)}`;
}

// 14:05:09
export const exact = (ms) => EXACT.format(ms);
