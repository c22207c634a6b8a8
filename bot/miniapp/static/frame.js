/*
 * A large JPEG straight out of the decoder, as a frame whose light is read without its colours:
 * PDQ looks at nothing else. Half the time and a fifth of the memory of a bitmap, at most a few
 * bits off (docs/hashing.md). Only some browsers can.
 */

import { isReadable } from "./pixels.js";

const LARGE = 4_000_000; // pixels; a smaller one is cheap enough as it is
const TURNED = { 3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270 };
const FLIPPED = [2, 4, 5, 7];

/**
 * The frame, its pixels as they lie in the file. Null of a small one, and where this browser
 * cannot, or does not say that it read the size and the EXIF orientation as we did.
 */
export async function frameIn(file, { width, height, orientation }) {
  if (width * height < LARGE || !globalThis.ImageDecoder) return null;
  let decoder = null;
  try {
    // Given as a stream, it would come in colours.
    const data = await file.arrayBuffer();
    decoder = new ImageDecoder({ data, type: "image/jpeg", colorSpaceConversion: "none" });
    const { image } = await decoder.decode();
    if (isSame(image, width, height, orientation) && (await isReadable(image))) return image;
    image.close();
  } catch {
    // A kind of JPEG that it does not take: it becomes a bitmap instead.
  } finally {
    decoder?.close();
  }
  return null;
}

function isSame({ visibleRect: seen, rotation = 0, flip = false }, width, height, orientation) {
  const isTurnedAlike = rotation === (TURNED[orientation] ?? 0) && flip === FLIPPED.includes(orientation);
  return seen.width === width && seen.height === height && isTurnedAlike;
}
