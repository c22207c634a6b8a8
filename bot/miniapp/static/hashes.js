/*
 * One chosen file to its hashes, in the form the server takes (docs/hashing.md). Whether it is a
 * picture or a video is read from its first bytes; its name is never looked at.
 */

import { Md5, Sha256 } from "./digests.js";
import { stills } from "./film.js";
import { forms } from "./forms.js";
import { frameIn } from "./frame.js";
import { jpegOf } from "./jpeg.js";
import { piecesOf } from "./pieces.js";
import { open, samples, tellsPixels } from "./pixels.js";

const HEAD = 2 ** 17; // bytes in which a JPEG says how it lies
const PICTURE_BRANDS = /^(hei[cmsx]|hev[cmsx]|mif1|msf1|avi[fs]|jpeg|crx )/;
const PICTURE_STARTS = [/^\xff\xd8\xff/, /^\x89PNG/, /^GIF8/, /^RIFF....WEBP/s, /^BM/, /^II\*\0/, /^MM\0\*/];
const VIDEO_STARTS = [
  /^....(ftyp|moov|mdat|wide|free|skip)/s,
  /^\x1aE\xdf\xa3/,
  /^RIFF....AVI /s,
  /^\0\0\x01[\xb3\xba]/,
  /^0&\xb2u/,
  /^FLV\x01/,
  /^OggS/,
  /^G.{187}G/s,
];

/** Why a file was not added; `id` names the words for it. */
export class Problem extends Error {
  constructor(id) {
    super(id);
    this.id = id;
  }
}

/**
 * {media, hashes} of a file, or a Problem; of a video that the browser cannot show, or in which all
 * is too plain, the digests alone. `seen` says of a SHA-256, `near` of a picture's PDQ hashes,
 * whether it is there already; `step` is called with 0..100 and may throw to stop; `turned` adds a
 * picture's turned copies.
 */
export async function hashFile(file, { seen, near = () => false, step, turned = false }) {
  if (!file.size) throw new Problem("empty");
  const head = new Uint8Array(await file.slice(0, HEAD).arrayBuffer());
  const kind = kindOf(head.subarray(0, 189));
  if (kind === "video") return { media: "video", hashes: await ofVideo(file, { head, seen, step }) };
  const isJpeg = head[0] === 0xff && head[1] === 0xd8;
  if (kind === "picture" && !(await tellsPixels(isJpeg))) throw new Problem("browser");
  return { media: "image", hashes: await ofPicture(file, { head, kind, isJpeg, seen, near, step, turned }) };
}

function kindOf(bytes) {
  const start = String.fromCharCode(...bytes);
  if (start.startsWith("ftyp", 4) && PICTURE_BRANDS.test(start.slice(8))) return "picture";
  if (VIDEO_STARTS.some((shape) => shape.test(start))) return "video";
  return PICTURE_STARTS.some((shape) => shape.test(start)) ? "picture" : "other";
}

async function fileHashes(file, step) {
  const [sha256, md5] = [new Sha256(), new Md5()];
  let at = 0;
  for await (const bytes of piecesOf(file)) {
    step(Math.floor((at / file.size) * 99));
    sha256.update(bytes);
    md5.update(bytes);
    at += bytes.length;
  }
  return [
    { kind: "sha256", variant: "file", value: sha256.hex() },
    { kind: "md5", variant: "file", value: md5.hex() },
  ];
}

async function ofVideo(file, { head, seen, step }) {
  const ofFile = await fileHashes(file, (percent) => step(percent * 0.4));
  if (seen(ofFile[0].value)) throw new Problem("already");
  const found = [];
  try {
    const type = head[0] === 0x1a ? "video/webm" : "video/mp4";
    if (await tellsPixels(false)) await stills(file, type, found, (percent) => step(40 + percent * 0.6));
  } catch (why) {
    if (why instanceof Problem) throw why;
  }
  return [...found, ...ofFile];
}

// The browser decodes elsewhere while the file's bytes are summed up here.
async function ofPicture(file, { head, kind, isJpeg, seen, near, step, turned }) {
  const jpeg = isJpeg ? jpegOf(head) : null;
  const opening = opened(file, jpeg);
  try {
    const ofFile = await fileHashes(file, (percent) => step(percent * 0.3));
    if (seen(ofFile[0].value)) throw new Problem("already");
    const picture = await opening;
    if (!picture) throw new Problem(kind === "picture" ? "cannot_open" : "not_media");
    const orientation = jpeg?.orientation ?? 1;
    const sampled = await samples(picture, isJpeg, orientation, (percent) => step(30 + percent * 0.4));
    picture.close();
    const { found, why } = await forms(sampled, { orientation, turned, step: () => step(80) });
    if (why) throw new Problem(why);
    if (near(found)) throw new Problem("already");
    return [...found, ...ofFile];
  } finally {
    opening.then((picture) => picture?.close());
  }
}

async function opened(file, jpeg) {
  const frame = jpeg ? await frameIn(file, jpeg) : null;
  return frame ?? open(file).catch(() => null);
}
