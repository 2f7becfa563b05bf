// The sheet from below that asks what acting came to. Each answer is one tap and final, so the way out is there as well.
import { colour, person, place } from "./card.js";
import { AIM } from "./hold.js";

export class Sheet {
  // acted(event, outcome): one of the answers was tapped.
  constructor(dialog, acted) {
    this.dialog = dialog;
    this.event = null;
    this.askedAt = 0;
    dialog.addEventListener("submit", (submit) => {
      submit.preventDefault();
      const { event } = this;
      this.close(); // first, so that the focus is back where the answer finds it
      if (event && submit.submitter.value) acted(event, submit.submitter.value);
    });
    dialog.addEventListener("click", (click) => {
      // The second tap of two quick ones was meant for the card, and hits whatever has come up under the thumb.
      if (click.detail > 0 && performance.now() - this.askedAt < AIM) click.preventDefault();
      else if (click.target === dialog) this.close(); // beside the sheet
    });
  }

  ask(event) {
    this.event = event;
    this.dialog.querySelector(".about").textContent = `${colour(event)[1]} ${person(event)}，${place(event)}`;
    this.askedAt = performance.now();
    this.dialog.showModal();
    this.dialog.querySelector("h2").focus();
  }

  // The alert is open no longer: there is nothing to answer.
  gone(id) {
    if (this.event?.alert_id === id) this.close();
  }

  close() {
    this.event = null;
    this.dialog.close();
  }
}
