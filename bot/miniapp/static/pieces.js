/*
 * A file's bytes, one piece after the other, never all at once. Where the browser can read into
 * memory that it is given, one piece's memory serves for all: pieces of their own are given back
 * late, and 2 GB of them held 350 MiB.
 */

const PIECE = 2 ** 19;

/** Pieces of a file as Uint8Array, each good until the next is asked for. */
export async function* piecesOf(file) {
  const reader = readerOf(file);
  if (!reader) return yield* slices(file);
  try {
    let memory = new ArrayBuffer(PIECE);
    for (;;) {
      const { done, value } = await reader.read(new Uint8Array(memory));
      if (done) return;
      yield value;
      memory = value.buffer;
    }
  } finally {
    reader.cancel().catch(() => {});
  }
}

function readerOf(file) {
  try {
    return file.stream().getReader({ mode: "byob" });
  } catch {
    return null;
  }
}

async function* slices(file) {
  for (let at = 0; at < file.size; at += PIECE) {
    yield new Uint8Array(await file.slice(at, at + PIECE).arrayBuffer());
  }
}
