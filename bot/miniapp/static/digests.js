/*
 * MD5 and SHA-256 of a file read piece by piece, so that a long video never has to be in memory
 * whole (the browser's own digest cannot do that, and has no MD5). RFC 1321, FIPS 180-4.
 */

const BLOCK = 64;
const ROOTS = Array.from({ length: 64 }, (_, i) => Math.floor(Math.abs(Math.sin(i + 1)) * 2 ** 32));
const MD5_ADD = Int32Array.from(ROOTS, (root) => root | 0);
const MD5_TURN = [
  [7, 12, 17, 22],
  [5, 9, 14, 20],
  [4, 11, 16, 23],
  [6, 10, 15, 21],
];
const PRIMES = firstPrimes(64);
const SHA_ADD = Int32Array.from(PRIMES, (prime) => fraction(Math.cbrt(prime)));
const SHA_START = PRIMES.slice(0, 8).map((prime) => fraction(Math.sqrt(prime)));

class Digest {
  constructor(start, littleEndian) {
    this.state = Int32Array.from(start);
    this.little = littleEndian;
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
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    for (let at = from; at < to; at += BLOCK) this.block(view, at);
  }
}

export class Md5 extends Digest {
  constructor() {
    super([0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476], true);
    this.words = new Int32Array(16);
  }

  block(view, from) {
    const { state, words } = this;
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(from + i * 4, true);
    let a = state[0];
    let b = state[1];
    let c = state[2];
    let d = state[3];
    for (let i = 0; i < 64; i++) {
      const round = i >> 4;
      let mixed = c ^ (b | ~d);
      let pick = 7 * i;
      if (round === 0) {
        mixed = (b & c) | (~b & d);
        pick = i;
      } else if (round === 1) {
        mixed = (d & b) | (~d & c);
        pick = 5 * i + 1;
      } else if (round === 2) {
        mixed = b ^ c ^ d;
        pick = 3 * i + 5;
      }
      const sum = (a + mixed + MD5_ADD[i] + words[pick & 15]) | 0;
      const turn = MD5_TURN[round][i & 3];
      a = d;
      d = c;
      c = b;
      b = (b + ((sum << turn) | (sum >>> (32 - turn)))) | 0;
    }
    state[0] += a;
    state[1] += b;
    state[2] += c;
    state[3] += d;
  }
}

export class Sha256 extends Digest {
  constructor() {
    super(SHA_START, false);
    this.words = new Int32Array(64);
  }

  block(view, from) {
    const { state, words } = this;
    this.spread(view, from);
    let a = state[0];
    let b = state[1];
    let c = state[2];
    let d = state[3];
    let e = state[4];
    let f = state[5];
    let g = state[6];
    let h = state[7];
    for (let i = 0; i < 64; i++) {
      const high = ((e >>> 6) | (e << 26)) ^ ((e >>> 11) | (e << 21)) ^ ((e >>> 25) | (e << 7));
      const one = (h + high + ((e & f) ^ (~e & g)) + SHA_ADD[i] + words[i]) | 0;
      const low = ((a >>> 2) | (a << 30)) ^ ((a >>> 13) | (a << 19)) ^ ((a >>> 22) | (a << 10));
      const two = (low + ((a & b) ^ (a & c) ^ (b & c))) | 0;
      h = g;
      g = f;
      f = e;
      e = (d + one) | 0;
      d = c;
      c = b;
      b = a;
      a = (one + two) | 0;
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

  spread(view, from) {
    const { words } = this;
    for (let i = 0; i < 16; i++) words[i] = view.getInt32(from + i * 4);
    for (let i = 16; i < 64; i++) {
      const x = words[i - 15];
      const y = words[i - 2];
      const low = ((x >>> 7) | (x << 25)) ^ ((x >>> 18) | (x << 14)) ^ (x >>> 3);
      const high = ((y >>> 17) | (y << 15)) ^ ((y >>> 19) | (y << 13)) ^ (y >>> 10);
      words[i] = words[i - 16] + low + words[i - 7] + high;
    }
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
