/*
 * A picture's pixels, sampled to the two sizes that are hashed. The picture is decoded once and
 * read in bands of 64 rows, never on a canvas of its own size: Safari on iPhones refuses a canvas
 * over 16,777,216 pixels. Browsers' own shrinking differs from each other, so the sampling is ours.
 */

const BAND = 64;

/**
 * The samples of an image file, as {512: {rgba, width, height}, 640: {...}}: upright as its EXIF
 * says, on white paper where it is see-through, its numbers as stored (no colour conversion).
 * Throws when the browser cannot decode it.
 */
export async function samples(file) {
  const bitmap = await createImageBitmap(file, { colorSpaceConversion: "none" });
  try {
    return readSamples(bitmap, bitmap.width, bitmap.height);
  } finally {
    bitmap.close();
  }
}

/** Whether this browser gives back the pixels it was given; some hide them behind noise. */
export function tellsPixels() {
  const context = bandContext(BAND, 1);
  for (let x = 0; x < BAND; x++) {
    context.fillStyle = `rgb(${x * 4}, ${255 - x * 4}, ${(x * 37) % 256})`;
    context.fillRect(x, 0, 1, 1);
  }
  const { data } = context.getImageData(0, 0, BAND, 1);
  let off = 0;
  for (let x = 0; x < BAND; x++) {
    off += Math.abs(data[x * 4] - x * 4) + Math.abs(data[x * 4 + 1] - (255 - x * 4));
  }
  return off < BAND * 8;
}

function readSamples(bitmap, width, height) {
  const readers = { 512: new Nearest(width, height, 512), 640: new Mean(width, height, 640) };
  const context = bandContext(width, BAND);
  for (let top = 0; top < height; top += BAND) {
    const rows = Math.min(BAND, height - top);
    context.fillRect(0, 0, width, BAND);
    context.drawImage(bitmap, 0, top, width, rows, 0, 0, width, rows);
    const { data } = context.getImageData(0, 0, width, rows);
    for (const reader of Object.values(readers)) {
      for (let y = 0; y < rows; y++) reader.row(data, y * width * 4, top + y);
    }
  }
  return readers;
}

function bandContext(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.imageSmoothingEnabled = false;
  context.fillStyle = "#fff";
  return context;
}

/*
 * The rule of Meta's own tool: with a side over `size`, exactly size x size pixels, pixel k taken
 * from floor(k * side / size); else every pixel.
 */
class Nearest {
  constructor(width, height, size) {
    const whole = width <= size && height <= size;
    this.from = [width, height];
    this.width = whole ? width : size;
    this.height = whole ? height : size;
    this.rgba = new Uint8ClampedArray(this.width * this.height * 4);
    this.next = 0;
  }

  row(data, start, y) {
    const [wide, high] = this.from;
    while (this.next < this.height && Math.floor((this.next * high) / this.height) === y) {
      let to = this.next * this.width * 4;
      for (let x = 0; x < this.width; x++, to += 4) {
        const at = start + Math.floor((x * wide) / this.width) * 4;
        this.rgba[to] = data[at];
        this.rgba[to + 1] = data[at + 1];
        this.rgba[to + 2] = data[at + 2];
      }
      this.next++;
    }
  }
}

/*
 * The mean over whole source pixels: each side at most `size`, never enlarged; target k covers
 * floor(k * side / size) up to floor((k + 1) * side / size), and a half rounds up.
 */
class Mean {
  constructor(width, height, size) {
    this.from = [width, height];
    this.width = Math.min(width, size);
    this.height = Math.min(height, size);
    this.rgba = new Uint8ClampedArray(this.width * this.height * 4);
    this.sums = new Float64Array(this.width * 3);
    this.edges = edges(width, this.width);
    this.downEdges = edges(height, this.height);
    this.next = 0;
  }

  row(data, start, y) {
    const { sums, edges } = this;
    let at = start;
    for (let x = 0; x < this.width; x++) {
      let red = 0;
      let green = 0;
      let blue = 0;
      for (const end = start + edges[x + 1] * 4; at < end; at += 4) {
        red += data[at];
        green += data[at + 1];
        blue += data[at + 2];
      }
      sums[x * 3] += red;
      sums[x * 3 + 1] += green;
      sums[x * 3 + 2] += blue;
    }
    if (y + 1 === this.downEdges[this.next + 1]) this.finishRow();
  }

  finishRow() {
    const rows = this.downEdges[this.next + 1] - this.downEdges[this.next];
    let to = this.next * this.width * 4;
    for (let x = 0; x < this.width; x++, to += 4) {
      const count = rows * (this.edges[x + 1] - this.edges[x]);
      for (let part = 0; part < 3; part++) {
        this.rgba[to + part] = Math.floor(this.sums[x * 3 + part] / count + 0.5);
      }
    }
    this.sums.fill(0);
    this.next++;
  }
}

function edges(side, size) {
  return Array.from({ length: size + 1 }, (_, k) => Math.floor((k * side) / size));
}
