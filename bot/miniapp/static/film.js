/*
 * Stills of a video, evenly over its length, as the browser shows them: upright, each sampled as a
 * picture's `512`. The browser reads the file where it lies; nothing is played.
 */

import { distance, MIN_QUALITY } from "./forms.js";
import { hexOf, luma, wavesOf } from "./pdq.js";
import { givesUnturned, nearestOf } from "./pixels.js";
import { turnOf } from "./track.js";

const LEAST_STILLS = 8;
const MOST_STILLS = 60;
const EVERY = 2; // seconds between them, where the limits allow
const ALIKE = 16; // bits; a still nearer to one already kept adds nothing
const PATIENCE = 10_000; // milliseconds until a browser that shows nothing is given up
const ASKED = 100;
const DRAWN = 1_000;

/**
 * Adds the hashes of a video's stills to `found`, as `frame-1` to `frame-60` by their place in it.
 * `type` is its MIME type; `step` is called with 0..100, and often, and may throw to stop. Rejects
 * what the browser cannot show; what was found till then stays found.
 */
export async function stills(file, type, found, step) {
  const film = document.createElement("video");
  const address = URL.createObjectURL(file.slice(0, file.size, type));
  Object.assign(film, { muted: true, playsInline: true, preload: "auto" });
  try {
    await reach(film, "loadeddata", () => (film.src = address), () => step(0));
    const length = await lengthOf(film, step);
    const lies = (await givesUnturned(film)) ? await turnOf(file) : 1;
    const count = Math.min(MOST_STILLS, Math.max(LEAST_STILLS, Math.ceil(length / EVERY)));
    for (let k = 0; k < count; k++) {
      const ask = () => step(Math.floor((k / count) * 100));
      await seek(film, ((k + 0.5) * length) / count, ask);
      keepStill(found, `frame-${k + 1}`, await wavesIn(film, lies));
    }
  } finally {
    film.removeAttribute("src");
    film.load();
    URL.revokeObjectURL(address);
  }
}

// One recorded in a browser does not say how long it is before its end was looked for.
async function lengthOf(film, step) {
  if (film.duration === Infinity) await seek(film, 1e9, () => step(0));
  const length = film.duration === Infinity ? film.currentTime : film.duration;
  if (!(length > 0)) throw new Error("no length");
  return length;
}

// Chromium says "seeked" before the frame is there to be read; where it tells of frames, that is
// waited for as well, though not for long: there is no new one within a still scene.
async function seek(film, time, ask) {
  const drawn = new Promise((go) => {
    film.requestVideoFrameCallback?.(go);
    if (!film.requestVideoFrameCallback) go();
  });
  await reach(film, "seeked", () => (film.currentTime = time), ask);
  await Promise.race([drawn, new Promise((go) => setTimeout(go, DRAWN))]);
}

// Begins something and waits for its event; asks meanwhile whether to go on.
async function reach(film, event, begin, ask) {
  const since = performance.now();
  let watch = 0;
  const reached = new Promise((go, stop) => {
    film.addEventListener(event, go, { once: true });
    film.addEventListener("error", () => stop(new Error("cannot be shown")), { once: true });
    watch = setInterval(() => {
      try {
        ask();
        if (performance.now() - since > PATIENCE) throw new Error("nothing shown");
      } catch (why) {
        stop(why);
      }
    }, ASKED);
  });
  try {
    ask();
    begin();
    await reached;
  } finally {
    clearInterval(watch);
  }
}

async function wavesIn(film, lies) {
  const { rgba, width, height } = await nearestOf(film, lies);
  return wavesOf(luma(rgba, width * height), width, height);
}

function keepStill(found, variant, waves) {
  if (waves.quality < MIN_QUALITY) return;
  const value = hexOf(waves);
  if (found.some((one) => distance(one.value, value) <= ALIKE)) return;
  found.push({ kind: "pdq", variant, value, quality: waves.quality });
}
