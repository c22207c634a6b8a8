/*
 * The three smaller grids of a picture that are hashed, filled from bands of its rows. Browsers'
 * own shrinking differs from one another, so the sampling is ours (docs/hashing.md). A pixel comes
 * as one 32-bit word, of which either outer byte may be red, or as one byte, its light. Bands that
 * lie as in the file are read backwards where EXIF turns the picture, so that the cells are those
 * of the upright one.
 */

const LANE = 257; // so many bytes can be summed in 16 bits
const GREY = 0x010101; // times a byte of light: the same in red, green and blue

/*
 * The rule of Meta's own tool: with a side over `size`, exactly size x size pixels, pixel k taken
 * from floor(k * side / size); else every pixel.
 */
export class Nearest {
  constructor(width, height, size, { across, down } = {}) {
    const isWhole = width <= size && height <= size;
    this.wide = width;
    this.width = isWhole ? width : size;
    this.height = isWhole ? height : size;
    this.rgba = new Uint8ClampedArray(this.width * this.height * 4);
    this.columns = firsts(width, this.width, across);
    this.rows = firsts(height, this.height, down);
    this.next = 0;
  }

  /** Takes the rows from `top` on. */
  band(words, top, rows, isBlueFirst) {
    while (this.next < this.height && this.rows[this.next] < top + rows) {
      this.pick(words, (this.rows[this.next] - top) * this.wide, isBlueFirst ? 16 : 0);
      this.next++;
    }
  }

  pick(words, start, red) {
    let to = this.next * this.width * 4;
    const times = isLight(words) ? GREY : 1;
    for (let x = 0; x < this.width; x++, to += 4) {
      const word = words[start + this.columns[x]] * times;
      this.rgba[to] = (word >> red) & 255;
      this.rgba[to + 1] = (word >> 8) & 255;
      this.rgba[to + 2] = (word >> (16 - red)) & 255;
    }
  }
}

/*
 * Means of whole cells, for several sizes in one go: a row is cut wherever a cell of any size
 * begins, each piece is summed once, and every size adds up the pieces of its cells.
 */
export class Means {
  constructor(width, height, sizes, backwards = {}) {
    this.grids = sizes.map((size) => new Mean(width, height, size, backwards));
    this.wide = width;
    this.cuts = union(this.grids.map((grid) => grid.columns));
    this.stops = union(this.grids.map((grid) => grid.rows));
    this.outer = new Int32Array(this.cuts.length - 1);
    this.green = new Int32Array(this.cuts.length - 1);
    this.most = Math.max(1, Math.floor(LANE / widest(this.cuts)));
    this.kept = 0;
    this.stop = 1;
    for (const grid of this.grids) grid.place(this.cuts);
  }

  of(size) {
    return this.grids.find((grid) => grid.size === size);
  }

  band(words, top, rows, isBlueFirst) {
    for (let y = 0; y < rows; y++) {
      if (isLight(words)) this.lightRow(words, y * this.wide);
      else this.row(words, y * this.wide);
      this.kept++;
      const isStop = top + y + 1 === this.stops[this.stop];
      if (isStop || this.kept === this.most) this.pour(top + y + 1, isBlueFirst);
      if (isStop) this.stop++;
    }
  }

  row(words, start) {
    const { cuts, outer, green } = this;
    let at = start;
    for (let piece = 0; piece < outer.length; piece++) {
      const end = start + cuts[piece + 1];
      let both = 0;
      let middle = 0;
      for (; at < end; at++) {
        const word = words[at];
        both = (both + (word & 0xff00ff)) | 0;
        middle = (middle + ((word >> 8) & 255)) | 0;
      }
      outer[piece] += both;
      green[piece] += middle;
    }
  }

  lightRow(bytes, start) {
    const { cuts, outer, green } = this;
    let at = start;
    for (let piece = 0; piece < outer.length; piece++) {
      const end = start + cuts[piece + 1];
      let sum = 0;
      for (; at < end; at++) sum = (sum + bytes[at]) | 0;
      outer[piece] += sum * 0x10001;
      green[piece] += sum;
    }
  }

  pour(y, isBlueFirst) {
    for (const grid of this.grids) grid.add(this.outer, this.green, this.kept, y, isBlueFirst);
    this.outer.fill(0);
    this.green.fill(0);
    this.kept = 0;
  }
}

class Mean {
  constructor(width, height, size, { across, down }) {
    this.size = size;
    this.width = Math.min(width, size);
    this.height = Math.min(height, size);
    this.rgba = new Uint8ClampedArray(this.width * this.height * 4);
    this.columns = edges(width, this.width, across);
    this.rows = edges(height, this.height, down);
    this.sums = new Float64Array(this.width * 3);
    this.next = 0;
  }

  /** Says which pieces belong to which cell. */
  place(cuts) {
    let cell = 0;
    this.cells = Int32Array.from(cuts.subarray(0, -1), (cut) => {
      while (this.columns[cell + 1] <= cut) cell++;
      return cell * 3;
    });
  }

  add(outer, green, rows, y, isBlueFirst) {
    const { sums, cells } = this;
    const [red, blue] = isBlueFirst ? [16, 0] : [0, 16];
    for (let piece = 0; piece < cells.length; piece++) {
      const cell = cells[piece];
      sums[cell] += (outer[piece] >>> red) & 0xffff;
      sums[cell + 1] += green[piece];
      sums[cell + 2] += (outer[piece] >>> blue) & 0xffff;
    }
    if (y === this.rows[this.next + 1]) this.finish();
  }

  // A half rounds up.
  finish() {
    const { sums, columns, rgba } = this;
    const rows = this.rows[this.next + 1] - this.rows[this.next];
    let to = this.next * this.width * 4;
    for (let x = 0, from = 0; x < this.width; x++, from += 3, to += 4) {
      const count = rows * (columns[x + 1] - columns[x]);
      rgba[to] = Math.floor(sums[from] / count + 0.5);
      rgba[to + 1] = Math.floor(sums[from + 1] / count + 0.5);
      rgba[to + 2] = Math.floor(sums[from + 2] / count + 0.5);
    }
    sums.fill(0);
    this.next++;
  }
}

/** The means over whole cells of one plane of values. */
export function boxed({ values, width, height }, size) {
  const [columns, rows] = [edges(width, Math.min(width, size)), edges(height, Math.min(height, size))];
  const small = { width: columns.length - 1, height: rows.length - 1 };
  small.values = new Uint8Array(small.width * small.height);
  for (let j = 0, to = 0; j < small.height; j++) {
    for (let i = 0; i < small.width; i++, to++) {
      const count = (rows[j + 1] - rows[j]) * (columns[i + 1] - columns[i]);
      let sum = 0;
      for (let y = rows[j]; y < rows[j + 1]; y++) {
        for (let x = columns[i]; x < columns[i + 1]; x++) sum += values[y * width + x];
      }
      small.values[to] = Math.floor(sum / count + 0.5);
    }
  }
  return small;
}

function isLight(band) {
  return band.BYTES_PER_ELEMENT === 1;
}

// Where cells begin, counted from the other end where the picture is read backwards.
function edges(side, cells, isBackwards = false) {
  const forwards = (k) => Math.floor((k * side) / cells);
  const edge = isBackwards ? (k) => side - forwards(cells - k) : forwards;
  return Int32Array.from({ length: cells + 1 }, (_, k) => edge(k));
}

// The first pixel of each cell, in the direction in which the picture is read.
function firsts(side, cells, isBackwards) {
  const all = edges(side, cells, isBackwards);
  return isBackwards ? all.subarray(1).map((edge) => edge - 1) : all;
}

function union(lists) {
  return Int32Array.from(new Set(lists.flatMap((list) => [...list]))).sort();
}

function widest(cuts) {
  return cuts.reduce((most, cut, at) => Math.max(most, cut - (cuts[at - 1] ?? 0)), 1);
}
