// What is open for the one who looks at the page, from events alone; nothing here knows of a screen.
const FINAL = new Set(["RETRACTED", "CLOSED"]);
const REMEMBERED = 5000; // event ids, to tell repeats, and ended alerts

function remember(set, value) {
  if (set.has(value)) return false;
  set.add(value);
  if (set.size > REMEMBERED) set.delete(set.values().next().value);
  return true;
}

// The steps of an event. One from before steps were told has one that we make up: its addressee was told at its opening.
function steps(event) {
  if (event.told?.length) return event.told;
  const level = event.addressee_level || (event.addressee.startsWith("desk-") ? "CITY" : "GRID_WORKER");
  return [{ addressee: event.addressee, level, cause: event.cause || "COLOUR", told_at: event.opened_at || 0 }];
}

// How an open alert stands for `me`:
//   mine     my own step, the last that was not handed over; null: no longer or never mine
//   current  the step that must act now; myTurn: it is mine
//   told     all steps
export function standing(event, me) {
  const told = steps(event);
  const current = told[told.length - 1];
  const mine = told.findLast((step) => step.addressee === me && step.relieved_at == null) || null;
  return { told, current, mine, myTurn: current.addressee === me };
}

// Who ended a CLOSED alert: the step that acted; null when it was retracted.
export function acted(event) {
  return event.cause === "RETRACTED" ? null : steps(event).find((step) => step.acted_at != null) || null;
}

export class Alerts {
  constructor(me) {
    this.me = me;
    this.open = new Map(); // alert_id -> event
    this.over = new Set(); // alert_ids
    this.seen = new Set(); // event_ids
  }

  reset() {
    this.open.clear();
    this.over.clear();
    this.seen.clear();
  }

  // What the event did here: "opened", "changed", "ended", "relieved" or null; `held` is what it was before.
  take(event) {
    const id = event.alert_id;
    const held = this.open.get(id) || null;
    if (!remember(this.seen, event.event_id)) return { did: null, held };
    if (FINAL.has(event.state)) {
      remember(this.over, id);
      return { did: this.open.delete(id) ? "ended" : null, held };
    }
    if (this.over.has(id)) return { did: null, held }; // a step that was under way when the alert ended
    if (!standing(event, this.me).mine) return { did: this.open.delete(id) ? "relieved" : null, held };
    this.open.set(id, event);
    return { did: held ? "changed" : "opened", held };
  }

  // Alerts by urgency: what is due with me first, by when; then what has gone up; last what is `answered`.
  inOrder(answered) {
    const turn = (event) => {
      const { mine, myTurn } = standing(event, this.me);
      return answered(event, mine) ? 2 : myTurn ? 0 : 1;
    };
    const red = (event) => (event.colour === "RED" ? 0 : 1);
    const far = Number.MAX_SAFE_INTEGER;
    return [...this.open.values()].sort(
      (a, b) =>
        turn(a) - turn(b) ||
        (a.due_at ?? far) - (b.due_at ?? far) ||
        red(a) - red(b) ||
        a.opened_at - b.opened_at ||
        (a.alert_id < b.alert_id ? -1 : 1),
    );
  }
}
