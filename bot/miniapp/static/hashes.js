/*
 * One chosen file to its hashes, in the form the server takes (docs/hashing.md). Whether it is a
 * picture or a video is read from its first bytes; its name is never looked at.
 */

import { Md5, Sha256 } from "./digests.js";
import { pdqHash } from "./pdq.js";
import { samples, tellsPixels } from "./pixels.js";

const SLICE = 2 ** 20;
const MIN_QUALITY = 50;
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
 * {media, hashes} of a file, or a Problem. `seen` says of a SHA-256 whether it is there already,
 * `step` is called with 0..100 and may throw to stop.
 */
export async function hashFile(file, seen, step) {
  if (!file.size) throw new Problem("empty");
  const kind = kindOf(new Uint8Array(await file.slice(0, 189).arrayBuffer()));
  if (kind === "picture" && !tellsPixels()) throw new Problem("browser");
  const ofFile = await fileHashes(file, step);
  if (seen(ofFile[0].value)) throw new Problem("already");
  if (kind === "video") return { media: "video", hashes: ofFile };
  return { media: "image", hashes: [...(await pictureHashes(file, kind)), ...ofFile] };
}

function kindOf(bytes) {
  const start = String.fromCharCode(...bytes);
  if (start.startsWith("ftyp", 4) && PICTURE_BRANDS.test(start.slice(8))) return "picture";
  if (VIDEO_STARTS.some((shape) => shape.test(start))) return "video";
  return PICTURE_STARTS.some((shape) => shape.test(start)) ? "picture" : "other";
}

async function fileHashes(file, step) {
  const [sha256, md5] = [new Sha256(), new Md5()];
  for (let at = 0; at < file.size; at += SLICE) {
    step(Math.floor((at / file.size) * 100));
    const bytes = new Uint8Array(await file.slice(at, at + SLICE).arrayBuffer());
    sha256.update(bytes);
    md5.update(bytes);
  }
  step(100);
  return [
    { kind: "sha256", variant: "file", value: sha256.hex() },
    { kind: "md5", variant: "file", value: md5.hex() },
  ];
}

async function pictureHashes(file, kind) {
  const found = [];
  for (const [variant, pixels] of Object.entries(await decoded(file, kind))) {
    const { hex: value, quality } = pdqHash(pixels.rgba, pixels.width, pixels.height);
    if (quality < MIN_QUALITY || found.some((hash) => hash.value === value)) continue;
    found.push({ kind: "pdq", variant, value, quality });
  }
  if (!found.length) throw new Problem("plain");
  return found;
}

async function decoded(file, kind) {
  try {
    return await samples(file);
  } catch {
    throw new Problem(kind === "picture" ? "cannot_open" : "not_media");
  }
}
