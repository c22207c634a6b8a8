/*
 * A picture's pixels, band by band, never on a canvas of its own size: Safari on iPhones refuses
 * one over 16,777,216 pixels. Of a JPEG the decoded bytes are read as they are where the browser
 * can (VideoFrame), which takes a tenth of the time, and of a large one the light alone; all else
 * goes through a small canvas.
 */

import { backwards, lying, uprightWay } from "./lying.js";
import { Means, Nearest } from "./sample.js";
import { pause } from "./pause.js";

const BAND = 64; // rows of a canvas
const FRAME_BAND = 1_000_000; // pixels of a frame: a few milliseconds of work
const PATTERN = 256;
const told = {};
const IS_BLUE_FIRST = { RGBX: false, RGBA: false, BGRX: true, BGRA: true };
const LIGHT_FIRST = ["I420", "I422", "I444", "NV12"];

/** The picture in a file, upright, its numbers as stored. Rejects what the browser cannot open. */
export function open(file) {
  return createImageBitmap(file, { colorSpaceConversion: "none" });
}

/**
 * The three samples of an opened picture, as {512: {rgba, width, height}, 640: …, 256: …}, on white
 * paper where it is see-through. The pixels of a frame lie as in its file, whose EXIF `orientation`
 * turns the samples. `step` is called with 0..100 and may throw to stop.
 */
export async function samples(picture, isOpaque, orientation, step) {
  const { width, height } = picture.visibleRect ?? picture;
  const lies = isFrame(picture) ? orientation : 1;
  const nearest = new Nearest(width, height, 512, backwards(lies));
  const means = new Means(width, height, [640, 256], backwards(lies));
  await readBands(picture, isOpaque, (words, top, rows, isBlueFirst) => {
    nearest.band(words, top, rows, isBlueFirst);
    means.band(words, top, rows, isBlueFirst);
    step(Math.floor((top / height) * 100));
  });
  const way = uprightWay(lies);
  return { 512: upright(nearest, way), 640: upright(means.of(640), way), 256: upright(means.of(256), way) };
}

/** Whether it is a frame of a decoder, as `frameIn` gives, and no bitmap. */
export function isFrame(picture) {
  return "visibleRect" in picture;
}

function upright({ rgba, width, height }, way) {
  if (!way) return { rgba, width, height };
  const { values, ...sides } = lying({ values: new Int32Array(rgba.buffer), width, height }, way);
  return { rgba: new Uint8ClampedArray(values.buffer), ...sides };
}

/**
 * The `512` sample of what a video shows now. Where its picture is given as it `lies`, by the EXIF
 * orientation of that name, the sample is turned.
 */
export async function nearestOf(film, lies) {
  if (lies === 1) return nearestIn(film, film.videoWidth, film.videoHeight, lies);
  const bitmap = await bitmapOf(film);
  try {
    return await nearestIn(bitmap, bitmap.width, bitmap.height, lies);
  } finally {
    bitmap.close();
  }
}

async function nearestIn(source, width, height, lies) {
  const nearest = new Nearest(width, height, 512, backwards(lies));
  await readCanvas(source, width, height, (...band) => nearest.band(...band));
  return upright(nearest, uprightWay(lies));
}

function bitmapOf(film) {
  return createImageBitmap(film, { colorSpaceConversion: "none" });
}

/**
 * Whether this browser gives a video's picture as it lies, though it shows it turned: Firefox does.
 * No other is asked, as WebKitGTK falls over at the question.
 */
export async function givesUnturned(film) {
  if (!/Gecko\/\d/.test(navigator.userAgent)) return false;
  const bitmap = await bitmapOf(film).catch(() => null);
  const width = bitmap?.width;
  bitmap?.close();
  return width === film.videoHeight && film.videoWidth !== film.videoHeight;
}

/** Whether a frame is of a kind that is known here, and is given when it is asked for. */
export async function isReadable(frame) {
  if (!LIGHT_FIRST.includes(frame.format) && !(frame.format in IS_BLUE_FIRST)) return false;
  const { width, height } = frame.visibleRect;
  const rect = { x: 0, y: 0, width, height: Math.min(2, height) };
  return frame.copyTo(new Uint8Array(frame.allocationSize({ rect })), { rect }).then(() => true, () => false);
}

/** Whether this browser gives back the pixels it was given; some hide them behind noise. */
export function tellsPixels(isOpaque) {
  told[isOpaque] ??= readsPattern(isOpaque);
  return told[isOpaque];
}

async function readsPattern(isOpaque) {
  const pattern = new ImageData(PATTERN, 2);
  for (let at = 0; at < pattern.data.length; at += 4) {
    pattern.data.set([(at * 37) % 256, at % 256, 255 - ((at >> 2) % 256), 255], at);
  }
  const bitmap = await createImageBitmap(pattern, { colorSpaceConversion: "none" });
  let isSame = true;
  await readBands(bitmap, isOpaque, (words, _top, rows, isBlueFirst) => {
    const read = new Uint8Array(words.buffer, words.byteOffset, PATTERN * rows * 4);
    const places = isBlueFirst ? [2, 1, 0] : [0, 1, 2];
    for (let at = 0; at < read.length; at += 4) {
      isSame &&= places.every((from, to) => read[at + from] === pattern.data[at + to]);
    }
  });
  bitmap.close();
  return isSame;
}

async function readBands(bitmap, isOpaque, take) {
  if (isFrame(bitmap)) {
    if (!(await readFrame(bitmap, take))) throw new Error("a frame that is not given");
    return;
  }
  const frame = isOpaque ? frameOf(bitmap) : null;
  try {
    if (frame && (await readFrame(frame, take))) return;
  } finally {
    frame?.close();
  }
  await readCanvas(bitmap, bitmap.width, bitmap.height, take);
}

function frameOf(bitmap) {
  try {
    const frame = new VideoFrame(bitmap, { timestamp: 0, alpha: "discard" });
    const { width, height } = frame.visibleRect;
    if (frame.format in IS_BLUE_FIRST && width === bitmap.width && height === bitmap.height) return frame;
    frame.close();
  } catch {
    // There is none in this browser: the canvas is read instead.
  }
  return null;
}

// False when it does not give its bytes: WebKit makes a frame of a picture, and refuses then.
async function readFrame(frame, take) {
  const { width, height } = frame.visibleRect;
  const most = Math.min(height, 2 * Math.ceil(FRAME_BAND / width / 2)); // colours lie in pairs of rows
  const bytes = new Uint8Array(frame.allocationSize({ rect: { x: 0, y: 0, width, height: most } }));
  const band = LIGHT_FIRST.includes(frame.format) ? bytes : new Int32Array(bytes.buffer);
  for (let y = 0; y < height; y += most) {
    const rows = Math.min(most, height - y);
    const rect = { x: 0, y, width, height: rows };
    const isRead = await frame.copyTo(bytes, { rect }).then(() => true, () => false);
    if (!isRead && y) throw new Error("half a picture");
    if (!isRead) return false;
    take(band, y, rows, IS_BLUE_FIRST[frame.format]);
    await pause();
  }
  return true;
}


async function readCanvas(source, width, height, take) {
  const context = paper(width, Math.min(BAND, height));
  for (let y = 0; y < height; y += BAND) {
    const rows = Math.min(BAND, height - y);
    context.fillRect(0, 0, width, rows);
    context.drawImage(source, 0, y, width, rows, 0, 0, width, rows);
    const { data } = context.getImageData(0, 0, width, rows);
    take(new Int32Array(data.buffer), y, rows, false);
    await pause();
  }
}

function paper(width, height) {
  const canvas = document.createElement("canvas");
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d", { willReadFrequently: true, alpha: false });
  context.imageSmoothingEnabled = false;
  context.fillStyle = "#fff";
  return context;
}
