// The score through time, on a canvas: zoom, playhead, events.  Knows nothing of the page around it.

"use strict";

/** 0:07.4, 12:07.4 or 1:12:07.4, as outputs/clock.py writes it. */
function clockText(timeS, tenths = true) {
  const tenth = Math.floor(Math.max(0, timeS) * 10 + 1e-6);
  const two = (number) => String(number).padStart(2, "0");
  const hours = Math.floor(tenth / 36000);
  const minutes = Math.floor(tenth / 600) % 60;
  const seconds = two(Math.floor(tenth / 10) % 60) + (tenths ? `.${tenth % 10}` : "");
  return hours ? `${hours}:${two(minutes)}:${seconds}` : `${minutes}:${seconds}`;
}

/** The largest of any run of scores without looking at each: every level holds the maxima of four of the one below. */
class MaxPyramid {
  constructor(levels) {
    this.floors = [levels];
    while (this.floors.at(-1).length > 4) {
      const below = this.floors.at(-1);
      const above = new Uint8Array(Math.ceil(below.length / 4));
      for (let i = 0; i < below.length; i += 1) above[i >> 2] = Math.max(above[i >> 2], below[i]);
      this.floors.push(above);
    }
  }

  /** Maximum of levels[first .. end - 1]; first < end. */
  max(first, end) {
    let found = 0;
    for (let floor = 0; first < end; floor += 1, first >>= 2, end >>= 2) {
      const levels = this.floors[floor];
      while (first < end && first % 4) found = Math.max(found, levels[first++]);
      while (first < end && end % 4) found = Math.max(found, levels[--end]);
      if (floor + 1 === this.floors.length) while (first < end) found = Math.max(found, levels[--end]);
    }
    return found;
  }
}

/** A canvas with the score, and a strip below it with the whole footage. */
class Timeline {
  static STEPS_S = [0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600, 7200, 14400, 43200, 86400];
  static LEAST_S = 1;
  static HEADROOM = 1.12;

  /** onSeek(time in s): a person asks for another time. */
  constructor(canvas, strip, onSeek) {
    this.canvas = canvas;
    this.strip = strip;
    this.onSeek = onSeek;
    this.events = [];
    this.threshold = 0.5;
    this.clock = clockText;
    this.labelled = "right"; // end of the threshold's line
    this.playheadS = 0;
    this.pointerX = null; // where a mouse points
    this.setScores(new Float64Array([0, 1]), new Uint8Array(2));
    this.#listen();
    new ResizeObserver(() => this.draw()).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.draw());
  }

  /** timesS: rising.  levels: anomaly * 255, one for each time. */
  setScores(timesS, levels) {
    this.timesS = timesS;
    this.levels = levels;
    this.pyramid = new MaxPyramid(levels);
    this.startS = timesS[0];
    this.endS = Math.max(timesS.at(-1), this.startS + 0.1);
    this.show(this.startS, this.endS);
  }

  /** The score at a time, in [0, 1]. */
  scoreAt(timeS) {
    return this.levels[Math.max(0, countUpTo(this.timesS, timeS + 5e-4) - 1)] / 255;
  }

  /** Show fromS .. toS, kept within the footage. */
  show(fromS, toS) {
    const length = Math.min(Math.max(toS - fromS, Timeline.LEAST_S), this.endS - this.startS);
    this.fromS = Math.min(Math.max(fromS, this.startS), this.endS - length);
    this.toS = this.fromS + length;
    this.draw();
  }

  /** factor < 1: closer.  aroundS stays where it is. */
  zoom(factor, aroundS = this.playheadS) {
    const around = Math.min(Math.max(aroundS, this.fromS), this.toS);
    this.show(around - (around - this.fromS) * factor, around + (this.toS - around) * factor);
  }

  /** Move the playhead; what is shown follows it. */
  setPlayhead(timeS) {
    this.playheadS = timeS;
    const length = this.toS - this.fromS;
    if (timeS < this.fromS || timeS > this.toS) this.show(timeS - 0.1 * length, timeS + 0.9 * length);
    else this.draw();
  }

  /** Draw once before the next frame, however often it is asked for. */
  draw() {
    if (this.waiting) return;
    this.waiting = true;
    requestAnimationFrame(() => {
      this.waiting = false;
      this.#drawChart();
      this.#drawStrip();
    });
  }

  #listen() {
    const timeAt = (event) => {
      const box = this.canvas.getBoundingClientRect();
      return this.fromS + ((event.clientX - box.left) / box.width) * (this.toS - this.fromS);
    };
    const held = (element, act) => {
      element.addEventListener("pointerdown", (event) => {
        element.setPointerCapture(event.pointerId);
        act(event);
      });
      element.addEventListener("pointermove", (event) => {
        if (element.hasPointerCapture(event.pointerId)) act(event);
      });
    };
    held(this.canvas, (event) => this.onSeek(timeAt(event)));
    const point = (x) => {
      this.pointerX = x;
      this.draw();
    };
    this.canvas.addEventListener("pointermove", (event) => point(event.pointerType === "touch" ? null : event.offsetX));
    this.canvas.addEventListener("pointerleave", () => point(null));
    held(this.strip, (event) => {
      const box = this.strip.getBoundingClientRect();
      const centreS = this.startS + ((event.clientX - box.left) / box.width) * (this.endS - this.startS);
      const half = (this.toS - this.fromS) / 2;
      this.show(centreS - half, centreS + half);
    });
    this.canvas.addEventListener("wheel", (event) => {
      if (event.ctrlKey || event.metaKey) this.zoom(Math.exp(event.deltaY / 200), timeAt(event));
      else if (Math.abs(event.deltaX) > Math.abs(event.deltaY)) {
        const shift = (event.deltaX / this.canvas.clientWidth) * (this.toS - this.fromS);
        this.show(this.fromS + shift, this.toS + shift);
      } else return;
      event.preventDefault();
    }, { passive: false });
  }

  /** A cleared context in CSS pixels, and its size. */
  #sheet(canvas) {
    const scale = window.devicePixelRatio || 1;
    const [width, height] = [canvas.clientWidth, canvas.clientHeight];
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    const context = canvas.getContext("2d");
    context.scale(scale, scale);
    const style = getComputedStyle(canvas);
    return { context, width, height, colour: (name) => style.getPropertyValue(`--${name}`).trim() };
  }

  /** Largest score of every pixel column, 0..255. */
  #columns(width, fromS, toS) {
    const found = new Uint8Array(Math.max(1, Math.round(width)));
    let first = Math.max(0, countUpTo(this.timesS, fromS) - 1);
    for (let x = 0; x < found.length; x += 1) {
      const end = Math.min(this.levels.length, countUpTo(this.timesS, fromS + ((x + 1) / found.length) * (toS - fromS)));
      found[x] = this.pyramid.max(Math.min(first, this.levels.length - 1), Math.max(end, first + 1));
      first = Math.max(end - 1, first, 0);
    }
    return found;
  }

  #drawChart() {
    const { context, width, height, colour } = this.#sheet(this.canvas);
    if (!width) return;
    const foot = height - 20;
    const x = (timeS) => ((timeS - this.fromS) / (this.toS - this.fromS)) * width;
    const y = (anomaly) => foot * (1 - anomaly / Timeline.HEADROOM);
    this.#drawEvents(context, colour, x, foot, width);
    this.#drawCurve(context, colour, this.#columns(width, this.fromS, this.toS), y, foot);
    this.#drawTicks(context, colour, x, foot, width);
    context.setLineDash([6, 4]);
    context.strokeStyle = colour("ink");
    context.beginPath();
    context.moveTo(0, y(this.threshold));
    context.lineTo(width, y(this.threshold));
    context.stroke();
    context.setLineDash([]);
    context.textAlign = this.labelled;
    const text = `threshold ${this.threshold.toFixed(2)}`;
    Timeline.#write(context, text, this.labelled === "right" ? width - 4 : 4, y(this.threshold) - 6, colour("ink"), colour("ground"));
    context.fillStyle = colour("playhead");
    context.fillRect(x(this.playheadS) - 1, 0, 2, foot);
    this.canvas.dataset.tip = this.pointerX === null ? "" : this.#drawTip(context, colour, foot, width);
  }

  /** Time, score and event at the pointer, on a plate beside it; gives the text. */
  #drawTip(context, colour, foot, width) {
    const [padding, height] = [6, 22];
    const timeS = this.fromS + (this.pointerX / width) * (this.toS - this.fromS);
    const at = this.events.filter((event) => event.start_s <= timeS && timeS < event.end_s).map(eventName);
    const text = [this.clock(timeS), this.scoreAt(timeS).toFixed(2), ...at].join(" · ");
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "left";
    const wide = context.measureText(text).width + 2 * padding;
    const left = Math.max(0, Math.min(this.pointerX - wide / 2, width - wide));
    context.fillStyle = colour("ink");
    context.fillRect(this.pointerX - 0.5, 0, 1, foot);
    context.fillRect(left, foot - height - 2, wide, height);
    context.fillStyle = colour("ground");
    context.fillText(text, left + padding, foot - 9);
    return text;
  }

  /** Text with a seam, which reads on whatever lies below. */
  static #write(context, text, x, y, colour, seam) {
    context.lineWidth = 3;
    context.lineJoin = "round";
    context.strokeStyle = seam;
    context.strokeText(text, x, y);
    context.fillStyle = colour;
    context.fillText(text, x, y);
  }

  #drawEvents(context, colour, x, foot, width) {
    context.font = "600 12px system-ui, sans-serif";
    context.textAlign = "left";
    const inView = this.events.filter((event) => x(event.end_s) >= 0 && x(event.start_s) <= width);
    context.fillStyle = colour("shade");
    for (const event of inView) {
      const left = x(event.start_s);
      context.fillRect(left, 0, Math.max(x(event.end_s) - left, 2), foot);
    }
    let freeFrom = 0;
    for (const event of inView) {
      const left = Math.max(x(event.start_s), 0);
      if (left < freeFrom) continue;
      const label = String(event.id);
      freeFrom = left + context.measureText(label).width + 8;
      Timeline.#write(context, label, left + 3, 12, colour("hot-text"), colour("ground"));
    }
  }

  #drawCurve(context, colour, columns, y, foot) {
    const outline = (from) => {
      context.beginPath();
      context.moveTo(0, from);
      columns.forEach((level, x) => context.lineTo(x + 0.5, Math.min(from, y(level / 255))));
      context.lineTo(columns.length, from);
    };
    outline(foot);
    context.fillStyle = colour("calm");
    context.fill();
    outline(y(this.threshold));
    context.fillStyle = colour("hot");
    context.fill();
    context.beginPath();
    columns.forEach((level, x) => context.lineTo(x + 0.5, y(level / 255)));
    context.strokeStyle = colour("curve");
    context.lineWidth = 1.2;
    context.stroke();
  }

  #drawTicks(context, colour, x, foot, width) {
    const length = this.toS - this.fromS;
    const stepS = Timeline.STEPS_S.find((step) => (length / step) * 64 <= width) ?? 86400;
    context.font = "12px system-ui, sans-serif";
    context.textAlign = "center";
    context.fillStyle = colour("quiet");
    context.fillRect(0, foot, width, 1);
    for (let tick = Math.ceil(this.fromS / stepS); tick * stepS <= this.toS; tick += 1) {
      const at = x(tick * stepS);
      context.fillRect(at, foot, 1, 4);
      if (at > 18 && at < width - 18) context.fillText(this.clock(tick * stepS, stepS < 1), at, foot + 16);
    }
  }

  #drawStrip() {
    const { context, width, height, colour } = this.#sheet(this.strip);
    if (!width) return;
    const x = (timeS) => ((timeS - this.startS) / (this.endS - this.startS)) * width;
    context.fillStyle = colour("calm");
    this.#columns(width, this.startS, this.endS).forEach((level, column) => {
      context.fillRect(column, height * (1 - level / 255), 1, height);
    });
    context.fillStyle = colour("hot");
    for (const event of this.events) context.fillRect(x(event.start_s), 0, Math.max(1.5, x(event.end_s) - x(event.start_s)), 3);
    context.strokeStyle = colour("ink");
    context.lineWidth = 2;
    context.strokeRect(x(this.fromS) + 1, 1, Math.max(4, x(this.toS) - x(this.fromS)) - 2, height - 2);
    context.fillStyle = colour("playhead");
    context.fillRect(x(this.playheadS) - 1, 0, 2, height);
  }
}
