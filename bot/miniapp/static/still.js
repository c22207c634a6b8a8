/*
 * The one way out that a Content-Security-Policy leaves open in Firefox and Safari is closed
 * before anything else runs.
 */

for (const name of ["RTCPeerConnection", "webkitRTCPeerConnection", "mozRTCPeerConnection"]) {
  Object.defineProperty(globalThis, name, { value: undefined });
}
