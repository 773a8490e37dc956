// People marked on a picture from head to feet, with a list of them.  Knows nothing of the page around it.

"use strict";

/** Let a person save `data` as a file. */
function download(name, data) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(new Blob([JSON.stringify(data, null, 1)], { type: "application/json" }));
  link.download = name;
  link.click();
  URL.revokeObjectURL(link.href);
}

class PeopleMarks {
  static LEAST_PX = 6;
  static FIELDS = [["column", "x"], ["row", "y"], ["height", "height_px"]];

  /**
   * sheet: <svg> over the picture, in whose units people are.  list: <ol> of them.  typicalPx: height of one who is
   * added without a mouse.  onChange(people): after every change.  onRefuse(text): a stroke was none.
   */
  constructor(sheet, list, typicalPx, onChange, onRefuse) {
    this.sheet = sheet;
    this.list = list;
    this.typicalPx = typicalPx;
    this.onChange = onChange;
    this.onRefuse = onRefuse;
    this.marks = [];
    this.stroke = null;
    const { width, height } = sheet.viewBox.baseVal;
    this.limits = { x: width, y: height, height_px: height };
    sheet.addEventListener("pointerdown", (event) => this.#begin(event));
    sheet.addEventListener("pointermove", (event) => this.#go(event));
    sheet.addEventListener("pointerup", (event) => this.#end(event));
    sheet.addEventListener("pointercancel", () => this.#drop());
  }

  /** All of them: middle and height in pixels of the picture. */
  get people() {
    return this.marks.map(({ person }) => ({ ...person }));
  }

  /** Add one in the middle of the picture, to be moved by its numbers; the first of them is focused. */
  add() {
    const { x, y } = this.limits;
    const mark = this.#draw({ x: x / 2, y: y / 2, height_px: this.typicalPx });
    this.#keep(mark);
    mark.item.querySelector("input").focus();
  }

  // Strokes.

  #place(event) {
    const box = this.sheet.getBoundingClientRect();
    const within = (share, most) => Math.min(Math.max(share, 0), 1) * most;
    return [
      within((event.clientX - box.left) / box.width, this.limits.x),
      within((event.clientY - box.top) / box.height, this.limits.y),
    ];
  }

  #begin(event) {
    if (this.stroke !== null || event.button !== 0) return;
    event.preventDefault();
    this.sheet.setPointerCapture(event.pointerId);
    this.stroke = { pointer: event.pointerId, from: this.#place(event), mark: null };
  }

  #go(event) {
    if (this.stroke?.pointer !== event.pointerId) return;
    const [[x0, y0], [x1, y1]] = [this.stroke.from, this.#place(event)];
    this.stroke.mark ??= this.#draw({});
    this.stroke.across = Math.abs(x1 - x0);
    this.#set(this.stroke.mark, { x: (x0 + x1) / 2, y: (y0 + y1) / 2, height_px: Math.abs(y1 - y0) });
  }

  #end(event) {
    if (this.stroke?.pointer !== event.pointerId) return;
    this.#go(event);
    const { mark, across } = this.stroke;
    if (mark.person.height_px < PeopleMarks.LEAST_PX || across > mark.person.height_px) {
      this.#drop();
      this.onRefuse(`Drag down from a head to the feet, ${PeopleMarks.LEAST_PX} pixels or more.`);
      return;
    }
    this.stroke = null;
    this.#keep(mark);
  }

  #drop() {
    this.stroke?.mark?.shape.remove();
    this.stroke = null;
  }

  // One person: a shape on the picture and a line of the list.

  #draw(person) {
    const shape = document.createElementNS("http://www.w3.org/2000/svg", "g");
    for (const kind of ["seam", "line"]) {
      const use = document.createElementNS(shape.namespaceURI, "use");
      use.setAttribute("href", "#person");
      use.setAttribute("class", kind);
      shape.append(use);
    }
    this.sheet.append(shape);
    const mark = { shape, person: {} };
    if ("x" in person) this.#set(mark, person);
    return mark;
  }

  #set(mark, person) {
    const tenths = ([name, number]) => [name, Math.round(10 * number) / 10];
    mark.person = Object.fromEntries(Object.entries(person).map(tenths));
    const { x, y, height_px } = mark.person;
    mark.shape.setAttribute("transform", `translate(${x} ${y}) scale(${Math.max(height_px, 0.1)})`);
  }

  #keep(mark) {
    this.marks.push(mark);
    mark.item = document.createElement("li");
    for (const [label, name] of PeopleMarks.FIELDS) {
      const field = document.createElement("input");
      Object.assign(field, { type: "number", step: "any", min: "0", max: String(this.limits[name]) });
      field.value = String(mark.person[name]);
      field.addEventListener("change", () => this.#edit(mark, name, field));
      const around = document.createElement("label");
      around.append(`${label} `, field);
      mark.item.append(around);
    }
    const remove = document.createElement("button");
    remove.type = "button";
    remove.textContent = "Remove";
    remove.addEventListener("click", () => this.#remove(mark));
    mark.item.append(remove);
    this.list.append(mark.item);
    this.#number();
  }

  #edit(mark, name, field) {
    const least = name === "height_px" ? PeopleMarks.LEAST_PX : 0;
    const wanted = field.value === "" ? mark.person[name] : Number(field.value);
    this.#set(mark, { ...mark.person, [name]: Math.min(Math.max(wanted, least), this.limits[name]) });
    field.value = String(mark.person[name]);
    this.onChange(this.people);
  }

  #remove(mark) {
    mark.shape.remove();
    const next = mark.item.nextElementSibling ?? mark.item.previousElementSibling;
    mark.item.remove();
    this.marks.splice(this.marks.indexOf(mark), 1);
    next?.querySelector("button").focus();
    this.#number();
  }

  #number() {
    this.marks.forEach(({ item }, place) => {
      item.querySelectorAll("input").forEach((field, number) => {
        field.setAttribute("aria-label", `Person ${place + 1}, ${PeopleMarks.FIELDS[number][0]}, pixels`);
      });
      item.querySelector("button").setAttribute("aria-label", `Remove person ${place + 1}`);
    });
    this.onChange(this.people);
  }
}
