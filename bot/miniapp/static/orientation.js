/*
 * How a JPEG's EXIF asks it to be turned. The browser turns it; many platforms hash it unturned.
 */

const ORIENTATION = 0x0112;

/** 1..8 of a JPEG's first bytes; 1 when it does not say. */
export function orientationOf(bytes) {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  try {
    for (let at = 2; view.getUint8(at) === 0xff; at += 2 + view.getUint16(at + 2)) {
      const isExif = view.getUint16(at) === 0xffe1 && view.getUint32(at + 4) === 0x45786966;
      if (isExif) return inExif(new DataView(view.buffer, view.byteOffset + at + 10));
    }
  } catch {
    // Damaged, or longer than what was read: as browsers do, it is passed over.
  }
  return 1;
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
