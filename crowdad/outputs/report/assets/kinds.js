// What events are called, and chips that choose among kinds.  Knows nothing of the page around it.

"use strict";

/** "event 3, fast"; kind: "" where it is not known. */
function eventName({ id, kind }) {
  return kind ? `event ${id}, ${kind}` : `event ${id}`;
}

/** "3 fast", at the event's box. */
function boxLabel({ id, kind }) {
  return kind ? `${id} ${kind}` : String(id);
}

/** Buttons that choose kinds of events: none is pressed, or "All", and all are shown. */
class KindChips {
  /** group: the element that holds the chips; hidden if there is only one kind.  onChange(): called when the choice changes. */
  constructor(group, onChange) {
    this.group = group;
    this.onChange = onChange;
    this.chosen = new Set();
    this.chips = new Map();
    this.all = this.#add("All", () => this.chosen.clear());
  }

  /** Whether events of this kind are shown. */
  wants(kind) {
    return this.chosen.size === 0 || this.chosen.has(kind);
  }

  /** Offer what there is to choose among.  kinds: that of each event. */
  offer(kinds) {
    const counts = new Map([...this.chosen].map((kind) => [kind, 0]));
    for (const kind of kinds) counts.set(kind, (counts.get(kind) ?? 0) + 1);
    for (const [kind, chip] of this.chips) {
      if (counts.has(kind)) continue;
      chip.remove();
      this.chips.delete(kind);
    }
    for (const [kind, count] of counts) {
      if (!this.chips.has(kind)) this.chips.set(kind, this.#add(kind, () => this.#toggle(kind)));
      this.chips.get(kind).lastChild.textContent = String(count);
    }
    this.group.hidden = counts.size < 2;
    this.#show();
  }

  #toggle(kind) {
    if (!this.chosen.delete(kind)) this.chosen.add(kind);
  }

  #add(text, act) {
    const chip = Object.assign(document.createElement("button"), { type: "button", className: "chip" });
    chip.append(text, " ", document.createElement("span"));
    chip.addEventListener("click", () => {
      act();
      this.#show();
      this.onChange();
    });
    this.group.append(chip);
    return chip;
  }

  #show() {
    this.all.setAttribute("aria-pressed", String(this.chosen.size === 0));
    for (const [kind, chip] of this.chips) chip.setAttribute("aria-pressed", String(this.chosen.has(kind)));
  }
}
