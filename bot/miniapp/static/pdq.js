/*
 * PDQ, the perceptual hash that platforms match with, in plain JavaScript: bit for bit what the
 * reference C++ gives for the same pixels (github.com/facebook/ThreatExchange, pdq/). That tool
 * computes in 32-bit floats, so every sum here is rounded as often, and in the same order.
 */

const { fround } = Math;
const GRID = 64; // the picture is blurred and sampled down to 64x64
const WAVES = 16; // and described by its 16x16 lowest waves
const SMALLEST = 5; // a side below this has no hash
const ZERO = "0".repeat(GRID);

const COSINES = cosines();

/**
 * The hash of all pixels given, row by row as RGBA; alpha is ignored.
 * `hex` has 64 digits; `quality` is 0..100, and below 50 the picture is too plain to be matched.
 */
export function pdqHash(rgba, width, height) {
  const found = wavesOf(luma(rgba, width * height), width, height);
  return { hex: hexOf(found), quality: found.quality };
}

/** What PDQ sees in luma values (a Float32Array, which is used up): {low, quality}. */
export function wavesOf(grey, width, height) {
  if (width < SMALLEST || height < SMALLEST) return { low: null, quality: 0 };
  const grid = shrink(grey, width, height);
  return { low: waves(grid), quality: quality(grid) };
}

/** The hash of the picture as it lies `way`: "", "mirror", "turn90", "turn90-mirror", … */
export function hexOf({ low }, way = "") {
  if (!low) return ZERO;
  const mirrored = way.endsWith("mirror");
  const quarters = Number(/^turn(\d+)/.exec(way)?.[1] ?? 0) / 90;
  const found = new Float32Array(low.length);
  for (let i = 0; i < WAVES; i++) {
    for (let j = 0; j < WAVES; j++) found[i * WAVES + j] = waveSeen(low, i, j, quarters, mirrored);
  }
  return toHex(found);
}

// Turned by quarters clockwise, then mirrored: waves swap their axes, and those of odd length
// (the first of them, too) are upside down when seen from their other end.
function waveSeen(low, i, j, quarters, mirrored) {
  const [row, column] = quarters % 2 ? [j, i] : [i, j];
  const flipped =
    (mirrored && j % 2 === 0) !==
    ((quarters === 1 || quarters === 2) && row % 2 === 0) !==
    ((quarters === 3 || quarters === 2) && column % 2 === 0);
  const value = low[row * WAVES + column];
  return flipped ? -value : value;
}

/** Luma of so many RGBA pixels: summed in doubles and rounded once, as pdqhash for Python does. */
export function luma(rgba, count) {
  const grey = new Float32Array(count);
  for (let at = 0, from = 0; at < count; at++, from += 4) {
    grey[at] = rgba[from] * 0.299 + rgba[from + 1] * 0.587 + rgba[from + 2] * 0.114;
  }
  return grey;
}

// Two passes of a running mean along both sides, then every n-th pixel. Of the last pass only
// the 64 columns that are looked at are worked out.
function shrink(grey, width, height) {
  if (width === GRID && height === GRID) return grey;
  const columns = places(width);
  const other = new Float32Array(grey.length);
  const narrow = new Float32Array(GRID * height);
  const lines = new Float32Array(4 * width);
  for (const y of fours(height)) blurFour(grey, y * width, other, y * width, width);
  blurDown(other, grey, width, height);
  for (const y of fours(height)) {
    blurFour(grey, y * width, lines, 0, width);
    for (let k = 0, to = y * GRID; k < 4 * width; k += width) {
      for (let j = 0; j < GRID; j++) narrow[to++] = lines[k + columns[j]];
    }
  }
  const down = new Float32Array(GRID * height);
  blurDown(narrow, down, GRID, height);
  return pickRows(down, places(height));
}

function places(side) {
  return Int32Array.from({ length: GRID }, (_, i) => Math.floor(((i + 0.5) * side) / GRID));
}

function pickRows(narrow, rows) {
  const grid = new Float32Array(GRID * GRID);
  rows.forEach((y, i) => grid.set(narrow.subarray(y * GRID, (y + 1) * GRID), i * GRID));
  return grid;
}

// Where to begin so that four rows at a time cover all; the last four may overlap.
function fours(height) {
  const count = Math.ceil(height / 4);
  return Array.from({ length: count }, (_, k) => Math.min(4 * k, height - 4));
}

// A running mean along four rows, each with its own sum (a processor adds them at once). The
// window of `full` pixels shrinks at both ends.
function blurFour(from, start, to, first, length) {
  const full = (length + 127) >> 7;
  const lead = (full + 2) >> 1;
  const [two, three] = [2 * length, 3 * length];
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  for (let step = 0, right = start, out = first; out < first + length; step++, right++) {
    if (step < length) {
      a = fround(a + from[right]);
      b = fround(b + from[right + length]);
      c = fround(c + from[right + two]);
      d = fround(d + from[right + three]);
    }
    if (step >= full) {
      const left = right - full;
      a = fround(a - from[left]);
      b = fround(b - from[left + length]);
      c = fround(c - from[left + two]);
      d = fround(d - from[left + three]);
    }
    if (step < lead - 1) continue;
    const size = Math.min(step + 1, length) - Math.max(0, step - full + 1);
    to[out] = a / size;
    to[out + length] = b / size;
    to[out + two] = c / size;
    to[out + three] = d / size;
    out++;
  }
}

// The same down all columns at once, row by row: memory is read in the order in which it lies.
function blurDown(from, to, width, length) {
  const full = (length + 127) >> 7;
  const lead = (full + 2) >> 1;
  const sums = new Float32Array(width);
  for (let y = 0, out = 0; out < length; y++) {
    const [right, left] = [y < length ? y * width : -1, y < full ? -1 : (y - full) * width];
    const at = y < lead - 1 ? -1 : out++ * width;
    const size = Math.min(y + 1, length) - Math.max(0, y - full + 1);
    if (right >= 0 && left >= 0 && at >= 0) moveOn(sums, from, right, left, to, at, size);
    else atAnEnd(sums, from, right, left, to, at, size);
  }
}

function moveOn(sums, from, right, left, to, at, size) {
  for (let x = 0; x < sums.length; x++) {
    const sum = fround(fround(sums[x] + from[right + x]) - from[left + x]);
    sums[x] = sum;
    to[at + x] = sum / size;
  }
}

function atAnEnd(sums, from, right, left, to, at, size) {
  for (let x = 0; x < sums.length; x++) {
    if (right >= 0) sums[x] += from[right + x];
    if (left >= 0) sums[x] -= from[left + x];
    if (at >= 0) to[at + x] = sums[x] / size;
  }
}

function quality(grid) {
  let sum = 0;
  for (let i = 0; i < GRID; i++) {
    for (let j = 0; j < GRID; j++) {
      const at = i * GRID + j;
      if (i + 1 < GRID) sum += contrast(grid[at], grid[at + GRID]);
      if (j + 1 < GRID) sum += contrast(grid[at], grid[at + 1]);
    }
  }
  return Math.min(100, Math.floor(sum / 90));
}

function contrast(one, other) {
  return Math.abs(Math.trunc(fround(fround(fround(one - other) * 100) / 255)));
}

function cosines() {
  const scale = fround(Math.sqrt(2 / GRID));
  const table = new Float32Array(WAVES * GRID);
  for (let i = 0; i < WAVES; i++) {
    for (let j = 0; j < GRID; j++) {
      table[i * GRID + j] = scale * Math.cos((Math.PI / 2 / GRID) * (i + 1) * (2 * j + 1));
    }
  }
  return table;
}

function waves(grid) {
  const half = new Float32Array(WAVES * GRID);
  for (let i = 0; i < WAVES; i++) {
    for (let j = 0; j < GRID; j++) half[i * GRID + j] = dot(COSINES, i * GRID, grid, j, GRID);
  }
  const found = new Float32Array(WAVES * WAVES);
  for (let i = 0; i < WAVES; i++) {
    for (let j = 0; j < WAVES; j++) {
      found[i * WAVES + j] = dot(half, i * GRID, COSINES, j * GRID, 1);
    }
  }
  return found;
}

function dot(one, a, other, b, bStride) {
  let sum = 0;
  for (let k = 0; k < GRID; k++) {
    sum = fround(sum + fround(one[a + k] * other[b + k * bStride]));
  }
  return sum;
}

// A bit says whether a wave is above the lower median; wave 255 comes first.
function toHex(found) {
  const median = found.slice().sort()[found.length / 2 - 1];
  let hex = "";
  for (let at = found.length - 4; at >= 0; at -= 4) {
    let digit = 0;
    for (let bit = 3; bit >= 0; bit--) digit = digit * 2 + (found[at + bit] > median ? 1 : 0);
    hex += digit.toString(16);
  }
  return hex;
}
