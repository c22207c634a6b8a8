/*
 * How an MP4 or MOV asks to be turned, for browsers (Firefox) that show it turned and give its
 * pictures as they lie. ISO/IEC 14496-12: the matrix in the track's header.
 */

const TRACK = ["moov", "trak", "tkhd"];
const MOST_BOXES = 1_000;

/** Its EXIF orientation, so to speak: 6 or 8 when it is to be turned by a quarter, else 1. */
export async function turnOf(file) {
  for await (const { start } of boxesAt(file, TRACK, 0, file.size)) {
    const head = new DataView(await file.slice(start, start + 96).arrayBuffer());
    const matrix = head.byteLength === 96 && head.getUint8(0) === 1 ? 52 : 40;
    if (head.byteLength < matrix + 40 || !head.getUint32(matrix + 36)) continue; // of sound
    const [across, down] = [head.getInt32(matrix + 4), head.getInt32(matrix + 12)];
    if (across > 0 && down < 0) return 6;
    return across < 0 && down > 0 ? 8 : 1;
  }
  return 1;
}

async function* boxesAt(file, [name, ...rest], from, to) {
  for await (const box of boxes(file, from, to)) {
    if (box.name !== name) continue;
    if (rest.length) yield* boxesAt(file, rest, box.start, box.end);
    else yield box;
  }
}

async function* boxes(file, from, to) {
  for (let at = from, count = 0; at + 16 <= to && count < MOST_BOXES; count++) {
    const head = new DataView(await file.slice(at, at + 16).arrayBuffer());
    const size = head.getUint32(0);
    const length = size === 1 ? Number(head.getBigUint64(8)) : size || to - at;
    if (length < 8) return;
    const name = String.fromCharCode(...new Uint8Array(head.buffer, 4, 4));
    yield { name, start: at + (size === 1 ? 16 : 8), end: Math.min(to, at + length) };
    at += length;
  }
}
