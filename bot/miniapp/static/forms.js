/*
 * Which hashes of a picture are registered (docs/hashing.md; the same in bot/hashing/forms.py).
 * One hash finds a copy that was saved again; a mirrored, much smaller or stored-as-turned one
 * needs its own.
 */

import { lying, storedWay } from "./lying.js";
import { changed, greyed, inside } from "./mild.js";
import { pause } from "./pause.js";
import { hexOf, luma, wavesOf } from "./pdq.js";

export const MIN_QUALITY = 50;
const MOST = 20;
const MOST_TURNED = 30;
const FAR = 16; // a changed picture's hash so many bits from all others is registered too
const LEAST_INSIDE = 0.125; // of a picture's area, without its even margins
const UPRIGHT = ["", "mirror"];
const TURNS = ["turn90", "turn180", "turn270"];
const ALL = [...UPRIGHT, ...TURNS, ...TURNS.map((way) => `${way}-mirror`)];
const SIZES = ["512", "640", "256"];

/**
 * The PDQ hashes of a picture's samples, each once; none when it is too plain. `why` says "plain"
 * or "frame" then. `orientation` is that of its EXIF; `turned` adds all its turned copies.
 */
export async function forms(samples, { orientation = 1, turned = false, step = () => {} } = {}) {
  const found = [];
  const greys = Object.fromEntries(SIZES.map((size) => [size, greyOf(samples[size])]));
  for (const [variant, size, way] of fixed(orientation, turned)) {
    const copy = lying(greys[size], way);
    const seen = wavesOf(copy.values, copy.width, copy.height);
    keep(found, variant, hexOf(seen), seen.quality);
    await pause();
    step();
  }
  if (!found.length) return { found, why: "plain" };
  const grey = greyed(samples[640]);
  if (inside(grey) < LEAST_INSIDE) return { found: [], why: "frame" };
  for (const { values, width, height } of changed(grey)) {
    keepChanged(found, wavesOf(Float32Array.from(values), width, height), turned ? MOST_TURNED : MOST);
    await pause();
    step();
  }
  return { found };
}

function fixed(orientation, turned) {
  const named = (way) => SIZES.map((size) => [way ? `${size}-${way}` : size, size, way]);
  if (turned) return ALL.flatMap(named);
  const stored = storedWay(orientation);
  const asStored = stored ? SIZES.map((size) => [`stored-${size}`, size, stored]) : [];
  return [...UPRIGHT.flatMap(named), ...asStored];
}

function greyOf({ rgba, width, height }) {
  return { values: luma(rgba, width * height), width, height };
}

function keep(found, variant, value, quality) {
  if (quality < MIN_QUALITY || found.some((one) => one.value === value)) return;
  found.push({ kind: "pdq", variant, value, quality });
}

// Registers it, and mirrored, when it is far from all that is registered and there is room.
function keepChanged(found, seen, most) {
  if (seen.quality < MIN_QUALITY || found.length + 2 > most) return;
  if (found.some((one) => distance(one.value, hexOf(seen)) <= FAR)) return;
  const number = 1 + found.filter((one) => one.variant.startsWith("self-")).length;
  UPRIGHT.forEach((way, at) => keep(found, `self-${number + at}`, hexOf(seen, way), seen.quality));
}

/** Whether two pictures' hashes are so near that the second needs none of its own. */
export function alike(hashes, others) {
  const upright = (all) => all.filter(({ kind, variant }) => kind === "pdq" && SIZES.includes(variant));
  const known = upright(others);
  return upright(hashes).some((one) => known.some((other) => distance(one.value, other.value) <= FAR));
}

/** In how many of 256 bits two hashes differ. */
export function distance(one, other) {
  let bits = 0;
  for (let at = 0; at < one.length; at += 8) {
    let word = parseInt(one.slice(at, at + 8), 16) ^ parseInt(other.slice(at, at + 8), 16);
    for (; word; word &= word - 1) bits++;
  }
  return bits;
}
