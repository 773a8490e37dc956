// Heat of a run: unpacked when it is needed, coloured, laid over a picture.  Knows nothing of the page around it.

"use strict";

/** Bytes of a deflated (zlib), base64 text. */
async function inflate(text) {
  const packed = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  const stream = new Blob([packed]).stream().pipeThrough(new DecompressionStream("deflate"));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

/** Number of entries of a rising array that are <= value. */
function countUpTo(rising, value) {
  let low = 0;
  let high = rising.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rising[middle] <= value) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** The maps of a run by time; a chunk is unpacked when the time comes near it, a few are kept. */
class HeatStore {
  static KEPT = 8;

  /** packed: as `pack_heat` wrote it.  onLoad: called when maps that `at` did not have yet are there. */
  constructor(packed, onLoad) {
    this.rows = packed.rows;
    this.columns = packed.columns;
    this.onLoad = onLoad;
    this.step = packed.step;
    this.gapMs = 2000 / packed.per_s;
    this.chunks = packed.chunks.map((chunk) => {
      let timeMs = chunk.start_ms;
      return { timesMs: [timeMs, ...chunk.steps.map((step) => (timeMs += step))], packed: chunk.levels, maps: null };
    });
    this.startsMs = this.chunks.map((chunk) => chunk.timesMs[0]);
    this.recent = [];
  }

  /** Anomaly * 255 of every cell, Float32Array (rows * columns), between the maps before and after; null = no heat. */
  at(timeS) {
    const timeMs = timeS * 1000 + 0.5;
    const number = countUpTo(this.startsMs, timeMs) - 1;
    const before = this.#map(number, timeMs);
    const after = this.#next(number, timeMs);
    const nearBefore = before !== null && timeMs - before.timeMs <= this.gapMs;
    const nearAfter = after !== null && after.timeMs - timeMs <= this.gapMs;
    if (nearBefore && nearAfter && after.timeMs - before.timeMs <= this.gapMs) {
      const share = (timeMs - before.timeMs) / (after.timeMs - before.timeMs);
      return this.#blend(before, 1 - share, after, share);
    }
    const fading = (map) => Math.max(0, 1 - (2 * Math.abs(timeMs - map.timeMs)) / this.gapMs);
    if (nearBefore && fading(before) > 0) return this.#blend(before, fading(before), null, 0);
    return nearAfter && fading(after) > 0 ? this.#blend(after, fading(after), null, 0) : null;
  }

  #map(number, timeMs) {
    if (number < 0) return null;
    const chunk = this.chunks[number];
    const place = countUpTo(chunk.timesMs, timeMs) - 1;
    return { chunk, place, timeMs: chunk.timesMs[place] };
  }

  #next(number, timeMs) {
    const here = number < 0 ? null : this.chunks[number];
    const place = here === null ? 0 : countUpTo(here.timesMs, timeMs);
    if (here !== null && place < here.timesMs.length) return { chunk: here, place, timeMs: here.timesMs[place] };
    const chunk = this.chunks[number + 1];
    return chunk === undefined ? null : { chunk, place: 0, timeMs: chunk.timesMs[0] };
  }

  #blend(first, firstShare, second, secondShare) {
    const one = this.#levels(first);
    const other = second === null ? null : this.#levels(second);
    if (one === null || (second !== null && other === null)) return null;
    const mixed = new Float32Array(one.length);
    for (let i = 0; i < mixed.length; i += 1) {
      mixed[i] = this.step * (firstShare * one[i] + (other === null ? 0 : secondShare * other[i]));
    }
    return mixed;
  }

  #levels({ chunk, place }) {
    if (chunk.maps === null) {
      this.#load(chunk);
      return null;
    }
    const size = this.rows * this.columns;
    return chunk.maps.subarray(place * size, (place + 1) * size);
  }

  async #load(chunk) {
    if (this.recent.includes(chunk)) return;
    this.recent.push(chunk);
    if (this.recent.length > HeatStore.KEPT) this.recent.shift().maps = null;
    chunk.maps = await inflate(chunk.packed);
    this.onLoad();
  }
}

/** Colours heat and paints it: nothing where all is normal, a glow that grows towards the threshold and past it. */
class HeatPainter {
  static RISE = 0.2;
  static FINER = 4;

  /** colours: Uint8Array (256 * 3), red, green, blue, dark to bright.  rows, columns: of the maps. */
  constructor(colours, rows, columns) {
    this.colours = colours;
    this.rows = rows;
    this.columns = columns;
    this.sheet = document.createElement("canvas");
    this.sheet.width = columns * HeatPainter.FINER;
    this.sheet.height = rows * HeatPainter.FINER;
    this.ink = this.sheet.getContext("2d");
    this.pixels = this.ink.createImageData(this.sheet.width, this.sheet.height);
    this.look(0.5, 0.65);
  }

  /** threshold: anomaly around which heat appears.  strength: opacity of full heat, 0..1.  As in outputs/heat.py. */
  look(threshold, strength) {
    const first = threshold - HeatPainter.RISE;
    this.table = new Uint8ClampedArray(256 * 4);
    for (let level = 0; level < 256; level += 1) {
      const rise = Math.min(1, Math.max(0, (level / 255 - first) / (2 * HeatPainter.RISE)));
      const reach = Math.min(1, Math.max(0, (level / 255 - first) / Math.max(1 - first, 0.01)));
      const colour = 3 * Math.round(255 * (0.35 + 0.51 * reach));
      for (let part = 0; part < 3; part += 1) this.table[4 * level + part] = this.colours[colour + part];
      this.table[4 * level + 3] = 255 * strength * rise * rise * (3 - 2 * rise);
    }
  }

  /** Paint a map (see HeatStore.at) so that it covers x, y, width, height of a 2d context. */
  paint(context, levels, x, y, width, height) {
    const { rows, columns } = this;
    const wide = this.sheet.width;
    for (let row = 0; row < this.sheet.height; row += 1) {
      const [above, below, down] = HeatPainter.#between(row, rows);
      for (let column = 0; column < wide; column += 1) {
        const [left, right, over] = HeatPainter.#between(column, columns);
        const top = levels[above * columns + left] * (1 - over) + levels[above * columns + right] * over;
        const bottom = levels[below * columns + left] * (1 - over) + levels[below * columns + right] * over;
        const level = 4 * Math.round(top * (1 - down) + bottom * down);
        const at = 4 * (row * wide + column);
        for (let part = 0; part < 4; part += 1) this.pixels.data[at + part] = this.table[level + part];
      }
    }
    this.ink.putImageData(this.pixels, 0, 0);
    context.imageSmoothingEnabled = true;
    context.imageSmoothingQuality = "high";
    context.drawImage(this.sheet, x, y, width, height);
  }

  /** The two cells beside a fine row or column, and how far it lies from the first to the second. */
  static #between(fine, count) {
    const place = Math.min(count - 1, Math.max(0, (fine + 0.5) / HeatPainter.FINER - 0.5));
    const first = Math.floor(place);
    return [first, Math.min(first + 1, count - 1), place - first];
  }
}

/** A light frame with a dark edge and a label, which read on any ground.  box: x0, y0, x1, y1 in canvas pixels. */
function drawBox(context, box, label, scale) {
  const [x0, y0, x1, y1] = box;
  const text = 14 * scale;
  context.lineWidth = 4 * scale;
  context.strokeStyle = "#202020";
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.lineWidth = 2 * scale;
  context.strokeStyle = "#ffffff";
  context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  context.font = `600 ${text}px system-ui, sans-serif`;
  const width = context.measureText(label).width + text;
  const top = Math.max(0, y0 >= 1.5 * text ? y0 - 1.5 * text : y0);
  context.fillStyle = "#202020";
  const left = Math.max(0, Math.min(x0 - scale, context.canvas.width - width));
  context.fillRect(left, top, width, 1.5 * text);
  context.fillStyle = "#ffffff";
  context.textBaseline = "middle";
  context.fillText(label, left + text / 2, top + 0.78 * text);
}

/** A thin dashed frame: something less than an event.  box: x0, y0, x1, y1 in canvas pixels. */
function dashBox(context, box, scale) {
  const [x0, y0, x1, y1] = box;
  context.lineWidth = 1.5 * scale;
  for (const [colour, offset] of [["#202020", 0], ["#e0e0e0", 5 * scale]]) {
    context.setLineDash([5 * scale, 5 * scale]);
    context.lineDashOffset = offset;
    context.strokeStyle = colour;
    context.strokeRect(x0, y0, x1 - x0, y1 - y0);
  }
  context.setLineDash([]);
}

/** The box at a time, between those known before and after.  boxes: rows of [time in s, x0, y0, x1, y1]. */
function boxAt(boxes, timeS) {
  const after = boxes.findIndex((row) => row[0] >= timeS);
  if (after <= 0) return boxes.at(after).slice(1);
  const [before, next] = [boxes[after - 1], boxes[after]];
  const share = (timeS - before[0]) / (next[0] - before[0]);
  return [1, 2, 3, 4].map((side) => before[side] + share * (next[side] - before[side]));
}
