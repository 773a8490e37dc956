// The report: one video, its heat, its timeline and its events, kept in step.

"use strict";

const find = (id) => document.getElementById(id);

class Report {
  constructor(data) {
    this.data = data;
    this.video = find("video");
    this.canvas = find("heat");
    this.cards = new Map([...document.querySelectorAll(".event[data-event]")].map((card) => [Number(card.dataset.event), card]));
    this.nowS = data.start_s;
    this.inside = null;
    this.timeline = new Timeline(find("timeline"), find("strip"), (timeS) => this.seek(timeS));
    this.timeline.events = data.events;
    if (data.heat) {
      const colours = Uint8Array.from(atob(data.colours), (letter) => letter.charCodeAt(0));
      this.store = new HeatStore(data.heat, () => this.draw());
      this.painter = new HeatPainter(colours, data.heat.rows, data.heat.columns);
    }
    this.kinds = new KindChips(find("kinds"), () => this.#filter());
    this.kinds.offer(data.events.map((event) => event.kind));
    this.#measurePeople();
    this.#recallTicks();
    this.#filter();
    this.#look();
    this.#listen();
    this.#followVideo();
    this.#unpackScores();
  }

  async #unpackScores() {
    const { scores } = this.data;
    const [steps, levels] = await Promise.all([inflate(scores.steps), inflate(scores.levels)]);
    let timeMs = scores.start_ms;
    const stepsMs = new Uint32Array(steps.buffer);
    this.timeline.setScores(Float64Array.from(stepsMs, (step) => (timeMs += step) / 1000), levels);
    this.#showTime(this.data.start_s);
    document.documentElement.dataset.ready = "yes";
  }

  // Time: the footage's own seconds everywhere; only here they are turned into the video's.

  #toVideo(timeS) {
    return Math.max(0, timeS - this.data.video.offset_s);
  }

  #followVideo() {
    const { video } = this;
    const show = (videoS) => this.#showTime(videoS + this.data.video.offset_s);
    const start = () => {
      // Not from nowS: the video's very first frame may have been shown before this is heard of.
      if (video.currentTime === 0 && this.#toVideo(this.data.start_s) > 0) this.seek(this.data.start_s);
    };
    if (video.readyState >= HTMLMediaElement.HAVE_METADATA) start();
    else video.addEventListener("loadedmetadata", start, { once: true });
    if (video.requestVideoFrameCallback) {
      const onFrame = (_now, frame) => {
        // While another place is being sought, this frame is one that nobody waits for any more.
        if (!video.seeking) show(frame.mediaTime);
        video.requestVideoFrameCallback(onFrame);
      };
      video.requestVideoFrameCallback(onFrame);
    } else {
      const onTick = () => {
        if (!video.paused) show(video.currentTime);
        requestAnimationFrame(onTick);
      };
      onTick();
      video.addEventListener("seeked", () => show(video.currentTime));
    }
    video.addEventListener("play", () => this.#playing(true));
    video.addEventListener("pause", () => this.#playing(false));
    video.addEventListener("error", () => (find("no-video").hidden = false));
    if (video.error) find("no-video").hidden = false;
  }

  #playing(on) {
    find("play").textContent = on ? "Pause" : "Play";
    document.documentElement.dataset.playing = on ? "yes" : "no";
  }

  /** Go to the frame that is shown at a time. */
  seek(timeS) {
    const wanted = Math.min(Math.max(timeS, this.data.start_s), this.data.end_s);
    const frameS = this.#exact() ? this.timeline.timesS[this.#placeOf(wanted)] : wanted;
    this.video.currentTime = this.#toVideo(frameS) + 0.4 / this.data.video.fps;
    this.#showTime(frameS);
  }

  /** Go back or forward by frames of the footage. */
  step(frames) {
    this.video.pause();
    const { timesS } = this.timeline;
    const place = Math.min(Math.max(this.#placeOf(this.nowS) + frames, 0), timesS.length - 1);
    this.seek(this.#exact() ? timesS[place] : this.nowS + frames / this.data.video.fps);
  }

  /** Whether the time of every frame is known. */
  #exact() {
    return this.data.scores.pooled === 1 && this.timeline.timesS.length === this.data.scores.count;
  }

  /** Index of the frame that is shown at a time; times are rounded to 1 ms. */
  #placeOf(timeS) {
    return Math.max(0, countUpTo(this.timeline.timesS, timeS + 1e-3) - 1);
  }

  toggle() {
    if (!this.video.paused) this.video.pause();
    else this.video.play().catch(() => (find("no-video").hidden = false));
  }

  #showTime(timeS) {
    this.nowS = timeS;
    if (timeS > this.data.end_s + 1 / this.data.video.fps && !this.video.paused) this.video.pause();
    this.timeline.setPlayhead(timeS);
    const score = this.timeline.scoreAt(timeS);
    const inside = this.shown.find((event) => event.start_s <= timeS && timeS < event.end_s) ?? null;
    find("clock").textContent = `${clockText(timeS)} / ${clockText(this.data.end_s)}`;
    find("score").textContent = score.toFixed(2);
    const slider = find("timeline");
    slider.setAttribute("aria-valuenow", timeS.toFixed(1));
    const where = inside === null ? "no event" : eventName(inside);
    slider.setAttribute("aria-valuetext", `${clockText(timeS)}, anomaly ${score.toFixed(2)}, ${where}`);
    if (inside !== this.inside) this.#enter(inside);
    this.draw();
  }

  #enter(event) {
    this.cards.forEach((card, id) => card.setAttribute("aria-current", String(event !== null && id === event.id)));
    this.inside = event;
    if (event !== null) this.#announce(event);
  }

  #announce(event) {
    const name = eventName(event).replace("e", "E");
    find("said").textContent =
      `${name}, ${clockText(event.start_s)} to ${clockText(event.end_s)}, peak ${event.peak.toFixed(2)}`;
  }

  /** Jump to an event's start; its card comes into view. */
  open(event) {
    this.#show(event);
    this.#announce(event);
    if (!this.#inOneColumn()) this.cards.get(event.id).scrollIntoView({ block: "nearest" });
  }

  /** Go to the start of an event or candidate; where the list is below the video, the video comes into view. */
  #show(moment) {
    this.seek(moment.start_s);
    if (this.#inOneColumn()) find("screen").scrollIntoView({ block: "nearest" });
  }

  #inOneColumn() {
    return matchMedia("(max-width: 61.99rem)").matches; // as in page.css
  }

  /** Jump to the next (1) or previous (-1) of the shown events. */
  jump(direction) {
    const slackS = 0.5 / this.data.video.fps;
    const later = this.shown.filter((event) => event.start_s > this.nowS + slackS);
    const earlier = this.shown.filter((event) => event.start_s < this.nowS - slackS);
    const event = direction > 0 ? later[0] : earlier.at(-1);
    if (event === undefined) find("said").textContent = direction > 0 ? "No later event" : "No earlier event";
    else this.open(event);
  }

  // Picture.

  draw() {
    if (this.drawing) return;
    this.drawing = true;
    requestAnimationFrame(() => {
      this.drawing = false;
      this.#paint();
    });
  }

  #paint() {
    const { canvas, data } = this;
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth * scale, canvas.clientHeight * scale].map(Math.round);
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    const context = canvas.getContext("2d");
    context.clearRect(0, 0, width, height);
    const px = width / data.video.size_hw[1];
    const levels = this.store && find("heat-on").checked ? this.store.at(this.nowS) : null;
    canvas.dataset.heat = levels === null ? "none" : String(Math.round(Math.max(...levels)));
    if (levels !== null) {
      const cell = data.heat.cell_px * px;
      this.painter.paint(context, levels, 0, 0, cell * data.heat.columns, cell * data.heat.rows);
    }
    if (!find("boxes-on").checked) return;
    for (const event of this.shown) {
      if (event.start_s > this.nowS || this.nowS >= event.end_s) continue;
      drawBox(context, boxAt(event.boxes, this.nowS).map((side) => side * px), boxLabel(event), scale);
    }
    for (const moment of data.candidates) {
      if (moment.start_s > this.nowS || this.nowS >= moment.end_s) continue;
      dashBox(context, boxAt(moment.boxes, this.nowS).map((side) => side * px), scale);
    }
  }

  #look() {
    const [threshold, strength] = [Number(find("threshold").value), Number(find("strength").value)];
    find("threshold-value").textContent = threshold.toFixed(2);
    find("strength-value").textContent = `${Math.round(100 * strength)} %`;
    this.painter?.look(threshold, strength);
    this.timeline.threshold = threshold;
    this.timeline.draw();
    this.draw();
  }

  // Events.

  #filter() {
    const [peak, lasting] = [Number(find("least-peak").value), Number(find("least-length").value)];
    const passes = (event) =>
      event.peak >= peak && event.end_s - event.start_s >= lasting - 1e-6 && this.kinds.wants(event.kind);
    this.shown = this.data.events.filter(passes);
    this.cards.forEach((card) => (card.hidden = true));
    this.shown.forEach((event) => (this.cards.get(event.id).hidden = false));
    find("least-peak-value").textContent = peak.toFixed(2);
    find("count").textContent = `${this.shown.length} of ${this.data.events.length} shown`;
    this.timeline.events = this.shown;
    this.timeline.draw();
    this.draw();
  }

  #ticked() {
    return this.data.events.filter((event) => this.cards.get(event.id).querySelector(".false-alarm").checked);
  }

  #countTicks() {
    const count = this.#ticked().length;
    find("save").disabled = count === 0;
    find("save").textContent = count === 1 ? "Save 1 false alarm" : `Save ${count} false alarms`;
  }

  // Ticks outlast a reload; a browser that keeps nothing of local pages loses them.

  #ticksKey() {
    return `crowdad ticks ${this.data.run}`;
  }

  #keepTicks() {
    try {
      localStorage.setItem(this.#ticksKey(), JSON.stringify(this.#ticked().map((event) => event.id)));
    } catch {
      // private windows, storage that is full or switched off
    }
  }

  #recallTicks() {
    try {
      const kept = JSON.parse(localStorage.getItem(this.#ticksKey()) ?? "[]");
      kept.forEach((id) => this.cards.has(id) && (this.cards.get(id).querySelector(".false-alarm").checked = true));
    } catch {
      // as above
    }
  }

  /** Download the ticked events as `crowdad fit --also-normal` takes them. */
  #save() {
    const spans = this.#ticked().map(({ id, start_s, end_s, boxes }) => ({ event: id, start_s, end_s, boxes }));
    download("false-alarms.json", { ...this.data.false_alarms, spans });
  }

  // People's size.

  #measurePeople() {
    const said = (people) => {
      find("marks-hint").hidden = people.length > 0;
      find("person-save").disabled = people.length === 0;
      find("person-save").textContent = people.length === 1 ? "Save 1 person" : `Save ${people.length} people`;
      const listed = people.map(({ y, height_px }) => `${height_px} px at row ${y}`);
      find("sizing-said").textContent = listed.length === 0 ? "" : `People are ${listed.join(", ")}.`;
    };
    const [height, width] = this.data.video.size_hw;
    const refused = (text) => (find("sizing-said").textContent = text);
    const marks = new PeopleMarks(find("marks"), find("persons"), this.data.person_px, said, refused);
    find("person-add").addEventListener("click", () => marks.add());
    find("person-save").addEventListener("click", () =>
      download("people.json", { crowdad: "person-heights", size_wh: [width, height], people: marks.people }));
    find("sizing").addEventListener("toggle", () => {
      const on = find("sizing").open;
      find("marks").toggleAttribute("data-on", on);
      find("marks-hint").hidden = !on || marks.people.length > 0;
      if (!on) return;
      this.video.pause();
      find("screen").scrollIntoView({ block: "nearest" });
    });
    find("people-on")?.addEventListener("input", (event) => {
      find("people").toggleAttribute("hidden", !event.target.checked);
    });
  }

  // Hands.

  #listen() {
    const on = (id, kind, act) => find(id).addEventListener(kind, act);
    on("play", "click", () => this.toggle());
    on("video", "click", () => this.toggle());
    on("back", "click", () => this.step(-1));
    on("forward", "click", () => this.step(1));
    on("previous", "click", () => this.jump(-1));
    on("next", "click", () => this.jump(1));
    on("speed", "change", () => (this.video.playbackRate = Number(find("speed").value)));
    on("full", "click", () => this.#fullScreen());
    on("closer", "click", () => this.timeline.zoom(0.5));
    on("wider", "click", () => this.timeline.zoom(2));
    on("whole", "click", () => this.timeline.show(this.data.start_s, this.data.end_s));
    for (const id of ["threshold", "strength", "heat-on", "boxes-on"]) on(id, "input", () => this.#look());
    for (const id of ["least-peak", "least-length"]) on(id, "input", () => this.#filter());
    on("save", "click", () => this.#save());
    this.data.events.forEach((event) => {
      const card = this.cards.get(event.id);
      card.querySelector(".go").addEventListener("click", () => this.open(event));
      card.querySelector(".false-alarm").addEventListener("change", () => {
        this.#countTicks();
        this.#keepTicks();
      });
    });
    document.querySelectorAll(".candidate .go").forEach((button, place) => {
      button.addEventListener("click", () => this.#show(this.data.candidates[place]));
    });
    this.#countTicks();
    find("full").hidden = !document.fullscreenEnabled; // some phones show videos alone in full screen, without heat
    document.addEventListener("keydown", (event) => this.#onKey(event));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  #fullScreen() {
    if (!document.fullscreenEnabled) return;
    if (document.fullscreenElement) document.exitFullscreen();
    else find("screen").requestFullscreen();
  }

  #onKey(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const own = event.target.closest("input, select, button, summary, a");
    if (own !== null && (event.key === " " || event.key === "Enter")) return;
    if (own !== null && own.matches("input:not([type=checkbox]), select") && event.key !== "n" && event.key !== "p") return;
    const acts = {
      " ": () => this.toggle(),
      ArrowLeft: () => this.seek(this.nowS - 1),
      ArrowRight: () => this.seek(this.nowS + 1),
      ",": () => this.step(-1),
      ".": () => this.step(1),
      Home: () => this.seek(this.data.start_s),
      End: () => this.seek(this.data.end_s),
      n: () => this.jump(1),
      p: () => this.jump(-1),
      "+": () => this.timeline.zoom(0.5),
      "-": () => this.timeline.zoom(2),
      0: () => this.timeline.show(this.data.start_s, this.data.end_s),
      f: () => this.#fullScreen(),
    };
    const act = acts[event.key];
    if (act === undefined) return;
    event.preventDefault();
    act();
  }
}

const report = new Report(JSON.parse(find("data").textContent));
