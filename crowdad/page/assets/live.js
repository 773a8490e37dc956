// The live page: the camera's picture with its heat, the running score, the latest events.  Uses kinds.js, heat.js, timeline.js.

"use strict";

const find = (id) => document.getElementById(id);

/** A wall clock, 14:02:07, of unix seconds. */
function wallText(timeS) {
  const two = (number) => String(number).padStart(2, "0");
  const date = new Date(1000 * timeS);
  return `${date.getHours()}:${two(date.getMinutes())}:${two(date.getSeconds())}`;
}

/** 4 s, 1 min 4 s */
function lengthText(seconds) {
  const whole = Math.max(1, Math.round(seconds));
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}

/** The list of events, the latest first. */
class EventList {
  static MOST = 20;

  constructor(list) {
    this.list = list;
    this.cards = new Map();
    this.events = new Map();
  }

  clear() {
    this.list.replaceChildren();
    this.cards.clear();
    this.events.clear();
  }

  /** Put an event in, or change it; returns what is new of it: "began", "ended" or "". */
  put(event) {
    const known = this.events.get(event.id);
    this.events.set(event.id, event);
    if (!this.cards.has(event.id)) this.#add(event);
    this.#fill(this.cards.get(event.id), event, known);
    if (known === undefined) return event.end_s === null ? "began" : "ended";
    return known.end_s === null && event.end_s !== null ? "ended" : "";
  }

  #add(event) {
    const make = (kind, className = "") => Object.assign(document.createElement(kind), { className });
    const card = make("li", "event");
    card.dataset.event = event.id;
    const image = Object.assign(make("img"), { width: 160, height: 120, alt: `Peak of event ${event.id}, its place framed` });
    const text = make("div");
    const parts = { image, title: make("span"), kind: make("span", "kind"), when: make("p"), sentence: make("p"), peak: make("p") };
    const heading = make("h3");
    heading.append(parts.title, " ", parts.kind);
    text.append(heading, parts.sentence, parts.when, parts.peak);
    card.append(image, text);
    const later = [...this.cards.keys()].filter((id) => id > event.id);
    if (later.length) this.cards.get(Math.min(...later)).card.after(card);
    else this.list.prepend(card);
    this.cards.set(event.id, { card, ...parts });
    if (this.cards.size > EventList.MOST) {
      const oldest = Math.min(...this.cards.keys());
      this.cards.get(oldest).card.remove();
      this.cards.delete(oldest);
      this.events.delete(oldest);
    }
  }

  #fill({ card, image, title, kind, when, sentence, peak }, event, known) {
    const lasts = event.end_s === null;
    card.classList.toggle("lasts", lasts);
    title.textContent = `Event ${event.id}${lasts ? ", going on" : ""}`;
    kind.textContent = event.kind;
    const start = wallText(event.start_s);
    when.textContent = lasts ? `since ${start}` : `${start}, for ${lengthText(event.end_s - event.start_s)}`;
    if (event.merged_into !== null) when.textContent += `, part of event ${event.merged_into}`;
    sentence.textContent = event.sentence.charAt(0).toUpperCase() + event.sentence.slice(1);
    peak.textContent = `peak ${event.peak.toFixed(2)}`;
    if (known === undefined || known.look !== event.look) image.src = `/events/${event.id}.jpg?look=${event.look}`;
  }
}

class Live {
  /** The curve shows at least so much time. */
  static LEAST_S = 60;

  constructor(data) {
    this.data = data;
    this.colours = Uint8Array.from(atob(data.colours), (letter) => letter.charCodeAt(0));
    this.timesMs = [];
    this.levels = [];
    this.list = new EventList(find("list"));
    this.kinds = new KindChips(find("kinds"), () => this.#filter());
    this.timeline = new Timeline(find("timeline"), find("strip"), () => {});
    this.timeline.clock = wallText;
    this.timeline.labelled = "left"; // what is new comes in at the right
    this.shown = null;
    this.number = 0;
    this.paused = false;
    this.state = null;
    this.#listen();
    this.#look();
    this.#follow();
    this.#pull();
  }

  // News: server-sent events; the browser connects again by itself, and then gets all of it anew.

  #follow() {
    const source = new EventSource("/updates");
    source.addEventListener("message", (message) => this.#take(JSON.parse(message.data)));
    source.addEventListener("error", () => this.#markLost(this.state === null || this.state.name !== "ended"));
    source.addEventListener("open", () => this.#markLost(false));
  }

  #markLost(lost) {
    find("lost").hidden = !lost;
    this.#markOld();
  }

  /** The last picture is dimmed where no newer one can come. */
  #markOld() {
    const old = !find("lost").hidden || (this.state !== null && ["offline", "ended"].includes(this.state.name));
    document.documentElement.dataset.old = old ? "yes" : "no";
  }

  #take({ fresh, points, events, state, view, health }) {
    if (fresh) {
      this.list.clear();
      this.#forgetCurve();
    }
    this.#addPoints(points);
    for (const event of events) this.#tell(event, this.list.put(event), fresh);
    if (events.length || fresh) this.#offerKinds();
    this.#showState(state, fresh);
    this.#showHealth(health);
    find("view").hidden = view === "";
    if (find("view").textContent !== view) find("view").textContent = view;
    document.documentElement.dataset.ready = "yes";
  }

  #forgetCurve() {
    this.timesMs = [];
    this.levels = [];
  }

  #addPoints(points) {
    for (const [timeMs, level] of points) {
      if (timeMs < this.timesMs.at(-1) - 2000) this.#forgetCurve(); // the clock was set back
      if (timeMs <= this.timesMs.at(-1)) continue;
      this.timesMs.push(timeMs);
      this.levels.push(level);
    }
    if (this.timesMs.length < 2) return;
    const first = countUpTo(this.timesMs, this.timesMs.at(-1) - 1000 * this.data.curve_s);
    this.timesMs.splice(0, first);
    this.levels.splice(0, first);
    this.#drawCurve();
  }

  #drawCurve() {
    const nowS = this.timesMs.at(-1) / 1000;
    const shortS = Live.LEAST_S - (nowS - this.timesMs[0] / 1000);
    this.timeline.events = this.#shown().map((event) => ({ ...event, end_s: event.end_s ?? nowS }));
    const timesS = this.timesMs.map((timeMs) => timeMs / 1000);
    const before = shortS > 0 ? [timesS[0] - shortS, timesS[0] - 0.01] : []; // a curve that has just begun
    this.timeline.setScores(Float64Array.from([...before, ...timesS]), Uint8Array.from([...before.map(() => 0), ...this.levels]));
    this.timeline.setPlayhead(nowS);
  }

  #tell(event, what, fresh) {
    if (fresh || what === "" || !this.kinds.wants(event.kind)) return;
    const kind = event.kind ? `, ${event.kind},` : "";
    const start = `Event ${event.id}${kind} began at ${wallText(event.start_s)}, anomaly ${event.peak.toFixed(2)}`;
    const end = event.end_s === null ? "" : `Event ${event.id} ended after ${lengthText(event.end_s - event.start_s)}`;
    this.#say(what === "began" ? start : end);
  }

  /** The events of the kinds that are chosen. */
  #shown() {
    return [...this.list.events.values()].filter((event) => this.kinds.wants(event.kind));
  }

  #offerKinds() {
    this.kinds.offer([...this.list.events.values()].map((event) => event.kind));
    this.#filter();
  }

  #filter() {
    const { size } = this.list.events;
    const shown = new Set(this.#shown().map((event) => event.id));
    this.list.cards.forEach(({ card }, id) => (card.hidden = !shown.has(id)));
    find("none").hidden = size > 0;
    find("count").textContent = shown.size < size ? `${shown.size} of ${size} shown` : size ? String(size) : "";
    if (this.timesMs.length > 1) this.#drawCurve();
    this.#paint();
  }

  #showState(state, fresh) {
    const before = this.state;
    this.state = state;
    find("state").dataset.state = state.name;
    this.#markOld();
    find("state-name").textContent = state.name;
    const parts = [state.reason, `since ${wallText(state.since_s)}`];
    find("state-reason").textContent = parts.filter((part) => part !== "").join(", ");
    if (before === null || before.name === state.name || fresh) return;
    this.#say(state.name === "ended" ? "The watch is over" : `The camera is ${state.name}${state.reason ? `: ${state.reason}` : ""}`);
  }

  #showHealth({ fps, latency_s }) {
    find("fps").textContent = `${fps.toFixed(1)} fps`;
    find("latency").textContent = `${latency_s.toFixed(1)} s`;
  }

  #say(text) {
    find("said").textContent = text;
  }

  // Pictures: the next is asked for when the last is drawn, so that a slow browser gets fewer.

  async #pull() {
    for (;;) {
      const beganMs = performance.now();
      try {
        if (this.paused || document.hidden) await this.#sleep(200);
        else await this.#next();
      } catch {
        await this.#sleep(1000); // the connection is gone; the news tell that
      }
      const leftMs = 1000 * this.data.picture_s - (performance.now() - beganMs);
      if (leftMs > 0) await this.#sleep(leftMs);
    }
  }

  #sleep(ms) {
    return new Promise((done) => setTimeout(done, ms));
  }

  async #next() {
    const answer = await fetch(`/picture?after=${this.number}`);
    if (answer.status !== 200) {
      await answer.arrayBuffer();
      if (answer.status !== 204) await this.#sleep(1000);
      return;
    }
    const bytes = await answer.arrayBuffer();
    const length = new DataView(bytes).getUint32(0);
    const head = JSON.parse(new TextDecoder().decode(new Uint8Array(bytes, 4, length)));
    const cells = head.rows * head.columns;
    const levels = new Uint8Array(bytes, 4 + length, cells);
    const bitmap = await createImageBitmap(new Blob([new Uint8Array(bytes, 4 + length + cells)], { type: "image/jpeg" }));
    this.number = head.number;
    if (this.paused) return;
    this.#showShot(head, Float32Array.from(levels), bitmap);
  }

  #showShot(head, levels, bitmap) {
    const [height, width] = head.size_hw;
    document.documentElement.style.setProperty("--ratio", `${width} / ${height}`);
    const canvas = find("shot");
    if (canvas.width !== bitmap.width || canvas.height !== bitmap.height) {
      Object.assign(canvas, { width: bitmap.width, height: bitmap.height });
    }
    canvas.getContext("2d").drawImage(bitmap, 0, 0);
    bitmap.close();
    canvas.dataset.number = String(head.number);
    if (this.painter === undefined || this.painter.rows !== head.rows || this.painter.columns !== head.columns) {
      this.painter = new HeatPainter(this.colours, head.rows, head.columns);
      this.#look();
    }
    this.shown = { head, levels };
    const flagged = head.anomaly >= 0.5;
    find("anomaly").textContent = head.anomaly.toFixed(2);
    find("verdict").textContent = flagged ? "unusual" : "normal";
    find("verdict").dataset.flagged = flagged ? "yes" : "no";
    find("taken").textContent = wallText(head.captured_s);
    this.#paint();
  }

  #paint() {
    if (this.shown === null) return;
    const { head, levels } = this.shown;
    const canvas = find("heat");
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const px = width / head.size_hw[1];
    const cell = head.cell_px * px;
    const heat = find("heat-on").checked;
    canvas.dataset.heat = heat ? String(Math.round(Math.max(...levels))) : "none";
    if (heat) this.painter.paint(context, levels, 0, 0, head.columns * cell, head.rows * cell);
    if (!find("boxes-on").checked) return;
    for (const [id, ...box] of head.boxes) {
      const event = this.list.events.get(id) ?? { id };
      if (this.kinds.wants(event.kind)) drawBox(context, box.map((side) => side * px), boxLabel(event), scale);
    }
  }

  #look() {
    const [threshold, strength] = [Number(find("threshold").value), Number(find("strength").value)];
    find("threshold-value").textContent = threshold.toFixed(2);
    find("strength-value").textContent = strength.toFixed(2);
    if (this.painter !== undefined) this.painter.look(threshold, strength);
    this.#paint();
  }

  // Hands.

  #listen() {
    for (const id of ["threshold", "strength", "heat-on", "boxes-on"]) find(id).addEventListener("input", () => this.#look());
    find("pause").addEventListener("click", () => this.#pause());
    find("full").addEventListener("click", () => this.#fullScreen());
    find("full").hidden = !document.fullscreenEnabled;
    document.addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => this.#paint()).observe(find("heat"));
  }

  #pause() {
    this.paused = !this.paused;
    find("pause").textContent = this.paused ? "Go on" : "Pause";
    this.#say(this.paused ? "The picture is held; scores and events go on" : "The picture goes on");
  }

  #fullScreen() {
    if (!document.fullscreenEnabled) return;
    if (document.fullscreenElement) document.exitFullscreen();
    else find("screen").requestFullscreen();
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.target.closest("input, select, button, summary, a");
    if (own !== null) return;
    const act = { " ": () => this.#pause(), f: () => this.#fullScreen() }[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  }
}

const live = new Live(JSON.parse(find("data").textContent));
