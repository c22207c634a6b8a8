/*
 * Long work is cut into pieces, between which the page may draw and hear. A message to itself
 * comes sooner than the 4 ms that a timer waits.
 */

const LONGEST = 12; // milliseconds of work without a rest
const rests = new MessageChannel();
let rested = 0;

/** Lets others have the thread, when it has been held for a while. */
export async function pause() {
  if (performance.now() - rested < LONGEST) return;
  await new Promise((go) => {
    rests.port1.onmessage = go;
    rests.port2.postMessage(null);
  });
  rested = performance.now();
}
