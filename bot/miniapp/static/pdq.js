/*
 * PDQ, the perceptual hash that platforms match with, in plain JavaScript: bit for bit what the
 * reference C++ gives for the same pixels (github.com/facebook/ThreatExchange, pdq/). That tool
 * computes in 32-bit floats, so every sum here is rounded as often, and in the same order.
 */

const { fround } = Math;
const GRID = 64; // the picture is blurred and sampled down to 64x64
const WAVES = 16; // and described by its 16x16 lowest waves
const SMALLEST = 5; // a side below this has no hash

const COSINES = cosines();

/**
 * The hash of all pixels given, row by row as RGBA; alpha is ignored.
 * `hex` has 64 digits; `quality` is 0..100, and below 50 the picture is too plain to be matched.
 */
export function pdqHash(rgba, width, height) {
  if (width < SMALLEST || height < SMALLEST) return { hex: "0".repeat(GRID), quality: 0 };
  const grid = shrink(luma(rgba, width * height), width, height);
  return { hex: toHex(waves(grid)), quality: quality(grid) };
}

// Summed in doubles and rounded once, as pdqhash for Python does.
function luma(rgba, count) {
  const grey = new Float32Array(count);
  for (let at = 0, from = 0; at < count; at++, from += 4) {
    grey[at] = rgba[from] * 0.299 + rgba[from + 1] * 0.587 + rgba[from + 2] * 0.114;
  }
  return grey;
}

function shrink(grey, width, height) {
  if (width === GRID && height === GRID) return grey;
  const other = new Float32Array(grey.length);
  for (let pass = 0; pass < 2; pass++) {
    for (let y = 0; y < height; y++) blurLine(grey, other, y * width, 1, width);
    for (let x = 0; x < width; x++) blurLine(other, grey, x, width, height);
  }
  return sample(grey, width, height);
}

// A running mean along one line; its window shrinks at both ends.
function blurLine(from, to, start, stride, length) {
  const full = (length + 127) >> 7;
  const lead = (full + 2) >> 1;
  let [right, left, out, sum, size] = [start, start, start, 0, 0];
  for (; size < lead - 1; size++, right += stride) sum = fround(sum + from[right]);
  while (size < full) {
    sum = fround(sum + from[right]);
    size++;
    to[out] = sum / size;
    right += stride;
    out += stride;
  }
  for (let rest = length - full; rest > 0; rest--) {
    sum = fround(fround(sum + from[right]) - from[left]);
    to[out] = sum / size;
    left += stride;
    right += stride;
    out += stride;
  }
  for (let rest = lead - 1; rest > 0; rest--) {
    sum = fround(sum - from[left]);
    size--;
    to[out] = sum / size;
    left += stride;
    out += stride;
  }
}

function sample(grey, width, height) {
  const grid = new Float32Array(GRID * GRID);
  for (let i = 0; i < GRID; i++) {
    const row = Math.floor(((i + 0.5) * height) / GRID) * width;
    for (let j = 0; j < GRID; j++) {
      grid[i * GRID + j] = grey[row + Math.floor(((j + 0.5) * width) / GRID)];
    }
  }
  return grid;
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
