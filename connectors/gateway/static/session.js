// Who is logged in, and staying so: a token lives half an hour and is renewed at half of that, for as long as the session
// lasts. What is asked first also tells the server's time.
import { heard } from "./clock.js";

const TRY_AGAIN = 15_000;
const PATIENCE = 15_000;

let timer = null;
let renewAt = 0; // by the phone's clock, which only measures

// {id, demo, divisions}; id is null when nobody is logged in; null when the server cannot be asked.
export async function whoami() {
  const sent = Date.now();
  try {
    const answer = await fetch("/me", { cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    heard(answer.headers.get("Date"), sent);
    if (!answer.ok && answer.status !== 401) return null;
    const said = await answer.json();
    if (said.id) plan(said);
    return said;
  } catch {
    return null;
  }
}

let lost = () => {};

// From now on `gone` is called when the session is over. Also asks when the page is looked at again: timers sleep with
// the phone.
export function keep(gone) {
  lost = gone;
  document.addEventListener("visibilitychange", () => {
    if (document.visibilityState === "visible" && renewAt && Date.now() >= renewAt) renew();
  });
}

export function end() {
  clearTimeout(timer);
  renewAt = 0;
}

function plan({ expires_in: left }) {
  if (!left) return;
  wait((left * 1000) / 2);
}

function wait(ms) {
  clearTimeout(timer);
  renewAt = Date.now() + ms;
  timer = setTimeout(renew, ms);
}

async function renew() {
  const sent = Date.now();
  wait(TRY_AGAIN);
  try {
    const answer = await fetch("/token", { method: "POST", cache: "no-store", signal: AbortSignal.timeout(PATIENCE) });
    heard(answer.headers.get("Date"), sent);
    if (answer.ok) plan(await answer.json());
    else if (answer.status === 401) {
      end();
      lost();
    }
  } catch {
    // without a network: tried again
  }
}
