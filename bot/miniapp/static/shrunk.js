/*
 * A large JPEG as its decoder shrinks it, to a half, a quarter or an eighth: a fraction of the
 * memory and of the time, and a few bits off (docs/hashing.md). Only some browsers can.
 */

const LEAST = 1024; // pixels a side that are left at the least
const TURNED = { 3: 180, 4: 180, 5: 90, 6: 90, 7: 270, 8: 270 };
const FLIPPED = [2, 4, 5, 7];

/**
 * The decoded frame, its pixels as they lie in the file; null when it is small enough as it is,
 * or when this browser cannot, or does not say that it read the EXIF orientation as we did.
 */
export async function shrunk(file, { width, height, orientation }) {
  const by = [8, 4, 2].find((times) => Math.min(width, height) >= times * LEAST);
  if (!by || !globalThis.ImageDecoder) return null;
  const [wide, high] = [width, height].map((side) => Math.ceil(side / by));
  const asked = { type: "image/jpeg", colorSpaceConversion: "none", desiredWidth: wide, desiredHeight: high };
  let decoder = null;
  try {
    decoder = new ImageDecoder({ data: await file.arrayBuffer(), ...asked });
    const { image } = await decoder.decode();
    const seen = image.visibleRect;
    const isAsAsked = seen.width === wide && seen.height === high;
    if (isAsAsked && isReadAlike(image, orientation)) return image;
    image.close();
  } catch {
    // A kind of JPEG that it does not take: it is decoded whole instead.
  } finally {
    decoder?.close();
  }
  return null;
}

function isReadAlike({ rotation = 0, flip = false }, orientation) {
  return rotation === (TURNED[orientation] ?? 0) && flip === FLIPPED.includes(orientation);
}
