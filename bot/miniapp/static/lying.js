/*
 * How a picture may lie: turned clockwise by quarters, then mirrored. EXIF names eight such ways.
 */

const STORED = {
  2: "mirror", 3: "turn180", 4: "turn180-mirror", 5: "turn90-mirror",
  6: "turn270", 7: "turn270-mirror", 8: "turn90",
};
const RIGHTED = { ...STORED, 6: "turn90", 8: "turn270" };

/** The way in which the pixels lie in a file of this EXIF orientation; "" when upright. */
export function storedWay(orientation) {
  return STORED[orientation] ?? "";
}

/** The way that makes stored pixels upright. */
export function uprightWay(orientation) {
  return RIGHTED[orientation] ?? "";
}

/** Along which of the stored pixels' sides the upright picture is read backwards. */
export function backwards(orientation) {
  return { across: [2, 3, 7, 8].includes(orientation), down: [3, 4, 6, 7].includes(orientation) };
}

/** A copy of a plane of values, in the same kind of array, as it lies that way. */
export function lying({ values, width, height }, way) {
  if (!way) return { values: values.slice(), width, height };
  const turn = Number(/^turn(\d+)/.exec(way)?.[1] ?? 0);
  const [wide, high] = turn % 180 ? [height, width] : [width, height];
  const [right, down] = { 0: [1, width], 90: [-width, 1], 180: [-1, -width], 270: [width, -1] }[turn];
  const start = { 0: 0, 90: (height - 1) * width, 180: width * height - 1, 270: width - 1 }[turn];
  const isMirrored = way.endsWith("mirror");
  const copy = new values.constructor(values.length);
  for (let y = 0; y < high; y++) {
    let from = start + y * down + (isMirrored ? (wide - 1) * right : 0);
    const stride = isMirrored ? -right : right;
    for (let x = 0, to = y * wide; x < wide; x++, to++, from += stride) copy[to] = values[from];
  }
  return { values: copy, width: wide, height: high };
}
