/*
 * The self-test: mild changes of a picture, made here to see whether its hash withstands them.
 * Whole numbers throughout, so that Python comes to the same (bot/hashing/mild.py).
 */

import { boxed } from "./sample.js";

const SIDE = 320;
const COARSE = 64;
const REACH = 3; // pixels to each side over which the soft one is a mean
const EVEN = 16; // levels in which the pixels of a line may differ that is still a margin's

/** The rounded luma of the 640 sample, at most 320 a side: {values, width, height}. */
export function greyed({ rgba, width, height }) {
  const values = new Uint8Array(width * height);
  for (let at = 0, from = 0; at < values.length; at++, from += 4) {
    const sum = 299 * rgba[from] + 587 * rgba[from + 1] + 114 * rgba[from + 2];
    values[at] = Math.floor((sum + 500) / 1000);
  }
  return boxed({ values, width, height }, SIDE);
}

/** Coarse, soft, brighter, with more contrast, and with an edge of a hundredth cut off. */
export function* changed(grey) {
  yield boxed(grey, COARSE);
  yield soft(grey);
  yield toned(grey, (value) => Math.min(255, Math.floor((value * 7) / 5)));
  yield toned(grey, (value) => Math.min(255, Math.max(0, 128 + (((value - 128) * 3) >> 1))));
  yield cut(grey);
}

/** The share of the picture that is left without its even margins. */
export function inside({ values, width, height }) {
  const row = (y) => [y * width, 1, width];
  const top = even(values, height, row);
  if (top === height) return 0;
  const bottom = even(values, height, (y) => row(height - 1 - y));
  const left = height - top - bottom;
  const column = (x) => [top * width + x, width, left];
  const [first, last] = [even(values, width, column), even(values, width, (x) => column(width - 1 - x))];
  return (left * (width - first - last)) / (height * width);
}

// How many lines from the first on are each of about one tone.
function even(values, lines, place) {
  for (let line = 0; line < lines; line++) {
    const [start, stride, length] = place(line);
    let [low, high] = [255, 0];
    for (let k = 0, at = start; k < length; k++, at += stride) {
      low = Math.min(low, values[at]);
      high = Math.max(high, values[at]);
    }
    if (high - low > EVEN) return line;
  }
  return lines;
}

function toned({ values, width, height }, tone) {
  const tones = Uint8Array.from({ length: 256 }, (_, value) => tone(value));
  return { values: values.map((value) => tones[value]), width, height };
}

function cut({ values, width, height }) {
  const [x, y] = [Math.max(1, Math.floor(width / 100)), Math.max(1, Math.floor(height / 100))];
  const small = { width: width - 2 * x, height: height - 2 * y };
  small.values = new Uint8Array(small.width * small.height);
  for (let row = 0; row < small.height; row++) {
    const from = (row + y) * width + x;
    small.values.set(values.subarray(from, from + small.width), row * small.width);
  }
  return small;
}

function soft({ values, width, height }) {
  const down = new Int32Array(width * height);
  for (let y = 0; y < height; y++) {
    for (let step = -REACH; step <= REACH; step++) {
      const from = Math.min(height - 1, Math.max(0, y + step)) * width;
      for (let x = 0; x < width; x++) down[y * width + x] += values[from + x];
    }
  }
  return { values: across(down, width, height), width, height };
}

function across(down, width, height) {
  const size = 2 * REACH + 1;
  const soft = new Uint8Array(down.length);
  const inside = (x) => Math.min(width - 1, Math.max(0, x));
  for (let y = 0, at = 0; y < height; y++) {
    const start = y * width;
    let sum = 0;
    for (let x = -REACH; x < REACH; x++) sum += down[start + inside(x)];
    for (let x = 0; x < width; x++, at++) {
      sum += down[start + inside(x + REACH)];
      soft[at] = Math.floor(sum / size ** 2);
      sum -= down[start + inside(x - REACH)];
    }
  }
  return soft;
}
