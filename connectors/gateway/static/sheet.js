// The sheet from below that asks what acting came to. Each answer is one tap and final, so the way out is there as well.
import { colour, person, place } from "./card.js";

export class Sheet {
  // acted(event, outcome): one of the answers was tapped.
  constructor(dialog, acted) {
    this.dialog = dialog;
    this.event = null;
    dialog.addEventListener("close", () => {
      const event = this.event;
      this.event = null;
      if (event && dialog.returnValue) acted(event, dialog.returnValue);
    });
    dialog.addEventListener("click", (click) => {
      if (click.target === dialog) dialog.close(""); // beside the sheet
    });
  }

  ask(event) {
    this.event = event;
    this.dialog.returnValue = "";
    this.dialog.querySelector(".about").textContent = `${colour(event)[1]} ${person(event)}，${place(event)}`;
    this.dialog.showModal();
    this.dialog.querySelector("h2").focus();
  }

  // The alert is open no longer: there is nothing to answer.
  gone(id) {
    if (this.event?.alert_id === id) this.close();
  }

  close() {
    this.event = null;
    this.dialog.close("");
  }
}
