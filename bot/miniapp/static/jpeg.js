/*
 * What a JPEG's first bytes say of its picture: how large it is, and how EXIF asks it to be turned
 * (browsers turn it; many platforms hash it unturned).
 */

const ORIENTATION = 0x0112;
const SIZE_SEGMENTS = /^[\xc0-\xc3\xc5-\xc7\xc9-\xcb\xcd-\xcf]$/; // of the segments that name the size

/** {width, height, orientation}: 0, 0 and 1 where it does not say so early. */
export function jpegOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const found = { width: 0, height: 0, orientation: 0 };
  try {
    for (let at = 2; view.getUint8(at) === 0xff && !found.width; at += 2 + view.getUint16(at + 2)) {
      readSegment(new DataView(view.buffer, view.byteOffset + at), found);
    }
  } catch {
    // Damaged, or longer than what was read: as browsers do, it is passed over.
  }
  return { ...found, orientation: found.orientation || 1 };
}

function readSegment(view, found) {
  const isExif = view.getUint8(1) === 0xe1 && view.getUint32(4) === 0x45786966;
  if (isExif && !found.orientation) found.orientation = inExif(new DataView(view.buffer, view.byteOffset + 10));
  if (!SIZE_SEGMENTS.test(String.fromCharCode(view.getUint8(1)))) return;
  found.height = view.getUint16(5);
  found.width = view.getUint16(7);
}

function inExif(tiff) {
  const little = tiff.getUint16(0) === 0x4949;
  const list = tiff.getUint32(4, little);
  for (let k = 0; k < tiff.getUint16(list, little); k++) {
    const at = list + 2 + k * 12;
    if (tiff.getUint16(at, little) === ORIENTATION) return tiff.getUint16(at + 8, little);
  }
  return 1;
}
