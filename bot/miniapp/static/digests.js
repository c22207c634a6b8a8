/*
 * MD5 and SHA-256 of a file read piece by piece, so that a long video never has to be in memory
 * whole (the browser's own digest cannot do that, and has no MD5). RFC 1321, FIPS 180-4.
 * Steps are written out by fours and eights, so that no word moves from one name to the next.
 */

const BLOCK = 64;
const ROOTS = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));
const MD5_ADD = Int32Array.from(ROOTS, (root) => root | 0);
const PRIMES = firstPrimes(64);
const SHA_ADD = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const SHA_START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

class Digest {
  constructor(start, littleEndian) {
    this.state = Int32Array.from(start);
    this.little = littleEndian;
    this.words = new Int32Array(64);
    this.rest = new Uint8Array(BLOCK);
    this.kept = 0;
    this.length = 0;
  }

  /** Takes the next bytes (Uint8Array). */
  update(bytes) {
    this.length += bytes.length;
    let at = 0;
    if (this.kept) {
      at = Math.min(BLOCK - this.kept, bytes.length);
      this.rest.set(bytes.subarray(0, at), this.kept);
      this.kept += at;
      if (this.kept < BLOCK) return this;
      this.blocks(this.rest, 0, BLOCK);
    }
    const end = bytes.length - ((bytes.length - at) % BLOCK);
    this.blocks(bytes, at, end);
    this.rest.set(bytes.subarray(end));
    this.kept = bytes.length - end;
    return this;
  }

  /** The digest in lower-case hex; nothing may be added afterwards. */
  hex() {
    const pad = new Uint8Array((this.kept < 56 ? 64 : 128) - this.kept);
    const view = new DataView(pad.buffer);
    const [low, high] = [(this.length % 2 ** 29) * 8, Math.floor(this.length / 2 ** 29)];
    pad[0] = 0x80;
    view.setUint32(pad.length - 8, this.little ? low : high, this.little);
    view.setUint32(pad.length - 4, this.little ? high : low, this.little);
    this.update(pad);
    return Array.from(this.state, (word) => this.word(word)).join("");
  }

  word(value) {
    const view = new DataView(new ArrayBuffer(4));
    view.setInt32(0, value, this.little);
    return view.getUint32(0).toString(16).padStart(8, "0");
  }

  blocks(bytes, from, to) {
    const { state, words } = this;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = from; at < to; at += BLOCK) this.block(state, words, view, at);
  }
}

export class Md5 extends Digest {
  constructor() {
    super([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476], true);
  }

  block(state, w, view, from) {
    for (let i = 0; i < 16; i++) w[i] = view.getInt32(from + i * 4, true);
    let a = state[0];
    let b = state[1];
    let c = state[2];
    let d = state[3];
    for (let i = 0; i < 16; i += 4) {
      a = rolled(a + ((b & c) | (~b & d)) + w[i] + MD5_ADD[i], 7, b);
      d = rolled(d + ((a & b) | (~a & c)) + w[i + 1] + MD5_ADD[i + 1], 12, a);
      c = rolled(c + ((d & a) | (~d & b)) + w[i + 2] + MD5_ADD[i + 2], 17, d);
      b = rolled(b + ((c & d) | (~c & a)) + w[i + 3] + MD5_ADD[i + 3], 22, c);
    }
    for (let i = 16; i < 32; i += 4) {
      a = rolled(a + ((b & d) | (c & ~d)) + w[(5 * i + 1) & 15] + MD5_ADD[i], 5, b);
      d = rolled(d + ((a & c) | (b & ~c)) + w[(5 * i + 6) & 15] + MD5_ADD[i + 1], 9, a);
      c = rolled(c + ((d & b) | (a & ~b)) + w[(5 * i + 11) & 15] + MD5_ADD[i + 2], 14, d);
      b = rolled(b + ((c & a) | (d & ~a)) + w[(5 * i) & 15] + MD5_ADD[i + 3], 20, c);
    }
    for (let i = 32; i < 48; i += 4) {
      a = rolled(a + (b ^ c ^ d) + w[(3 * i + 5) & 15] + MD5_ADD[i], 4, b);
      d = rolled(d + (a ^ b ^ c) + w[(3 * i + 8) & 15] + MD5_ADD[i + 1], 11, a);
      c = rolled(c + (d ^ a ^ b) + w[(3 * i + 11) & 15] + MD5_ADD[i + 2], 16, d);
      b = rolled(b + (c ^ d ^ a) + w[(3 * i + 14) & 15] + MD5_ADD[i + 3], 23, c);
    }
    for (let i = 48; i < 64; i += 4) {
      a = rolled(a + (c ^ (b | ~d)) + w[(7 * i) & 15] + MD5_ADD[i], 6, b);
      d = rolled(d + (b ^ (a | ~c)) + w[(7 * i + 7) & 15] + MD5_ADD[i + 1], 10, a);
      c = rolled(c + (a ^ (d | ~b)) + w[(7 * i + 14) & 15] + MD5_ADD[i + 2], 15, d);
      b = rolled(b + (d ^ (c | ~a)) + w[(7 * i + 5) & 15] + MD5_ADD[i + 3], 21, c);
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
  }
}

function rolled(sum, by, next) {
  return (((sum << by) | (sum >>> (32 - by))) + next) | 0;
}

export class Sha256 extends Digest {
  constructor() {
    super(SHA_START, false);
  }

  block(state, w, view, from) {
    spread(w, view, from);
    let a = state[0];
    let b = state[1];
    let c = state[2];
    let d = state[3];
    let e = state[4];
    let f = state[5];
    let g = state[6];
    let h = state[7];
    for (let i = 0; i < 64; i += 8) {
      h += ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      h = (h + (g ^ (e & (f ^ g))) + SHA_ADD[i] + w[i]) | 0;
      d = (d + h) | 0;
      h += ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      h = (h + ((a & b) | (c & (a | b)))) | 0;
      g += ((d >>> 6) | (d << 26)) ^ ((d >>> 11) | (d << 21)) ^ ((d >>> 25) | (d << 7));
      g = (g + (f ^ (d & (e ^ f))) + SHA_ADD[i + 1] + w[i + 1]) | 0;
      c = (c + g) | 0;
      g += ((h >>> 2) | (h << 30)) ^ ((h >>> 13) | (h << 19)) ^ ((h >>> 22) | (h << 10));
      g = (g + ((h & a) | (b & (h | a)))) | 0;
      f += ((c >>> 6) | (c << 26)) ^ ((c >>> 11) | (c << 21)) ^ ((c >>> 25) | (c << 7));
      f = (f + (e ^ (c & (d ^ e))) + SHA_ADD[i + 2] + w[i + 2]) | 0;
      b = (b + f) | 0;
      f += ((g >>> 2) | (g << 30)) ^ ((g >>> 13) | (g << 19)) ^ ((g >>> 22) | (g << 10));
      f = (f + ((g & h) | (a & (g | h)))) | 0;
      e += ((b >>> 6) | (b << 26)) ^ ((b >>> 11) | (b << 21)) ^ ((b >>> 25) | (b << 7));
      e = (e + (d ^ (b & (c ^ d))) + SHA_ADD[i + 3] + w[i + 3]) | 0;
      a = (a + e) | 0;
      e += ((f >>> 2) | (f << 30)) ^ ((f >>> 13) | (f << 19)) ^ ((f >>> 22) | (f << 10));
      e = (e + ((f & g) | (h & (f | g)))) | 0;
      d += ((a >>> 6) | (a << 26)) ^ ((a >>> 11) | (a << 21)) ^ ((a >>> 25) | (a << 7));
      d = (d + (c ^ (a & (b ^ c))) + SHA_ADD[i + 4] + w[i + 4]) | 0;
      h = (h + d) | 0;
      d += ((e >>> 2) | (e << 30)) ^ ((e >>> 13) | (e << 19)) ^ ((e >>> 22) | (e << 10));
      d = (d + ((e & f) | (g & (e | f)))) | 0;
      c += ((h >>> 6) | (h << 26)) ^ ((h >>> 11) | (h << 21)) ^ ((h >>> 25) | (h << 7));
      c = (c + (b ^ (h & (a ^ b))) + SHA_ADD[i + 5] + w[i + 5]) | 0;
      g = (g + c) | 0;
      c += ((d >>> 2) | (d << 30)) ^ ((d >>> 13) | (d << 19)) ^ ((d >>> 22) | (d << 10));
      c = (c + ((d & e) | (f & (d | e)))) | 0;
      b += ((g >>> 6) | (g << 26)) ^ ((g >>> 11) | (g << 21)) ^ ((g >>> 25) | (g << 7));
      b = (b + (a ^ (g & (h ^ a))) + SHA_ADD[i + 6] + w[i + 6]) | 0;
      f = (f + b) | 0;
      b += ((c >>> 2) | (c << 30)) ^ ((c >>> 13) | (c << 19)) ^ ((c >>> 22) | (c << 10));
      b = (b + ((c & d) | (e & (c | d)))) | 0;
      a += ((f >>> 6) | (f << 26)) ^ ((f >>> 11) | (f << 21)) ^ ((f >>> 25) | (f << 7));
      a = (a + (h ^ (f & (g ^ h))) + SHA_ADD[i + 7] + w[i + 7]) | 0;
      e = (e + a) | 0;
      a += ((b >>> 2) | (b << 30)) ^ ((b >>> 13) | (b << 19)) ^ ((b >>> 22) | (b << 10));
      a = (a + ((b & c) | (d & (b | c)))) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
    state[4] += e;
    state[5] += f;
    state[6] += g;
    state[7] += h;
  }
}

// The 64 words of a block.
function spread(w, view, from) {
  for (let i = 0; i < 16; i++) w[i] = view.getInt32(from + i * 4);
  for (let i = 16; i < 64; i++) {
    const x = w[i - 15];
    const y = w[i - 2];
    const low = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
    const high = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
    w[i] = (w[i - 16] + low + w[i - 7] + high) | 0;
  }
}

function firstPrimes(count) {
  const primes = [];
  for (let n = 2; primes.length < count; n++) {
    if (primes.every((prime) => n % prime)) primes.push(n);
  }
  return primes;
}

function fraction(root) {
  return ((root % 1) * 2 ** 32) | 0;
}
