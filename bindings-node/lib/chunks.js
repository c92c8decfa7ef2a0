"use strict";

const { createReadStream } = require("node:fs");
const { Readable } = require("node:stream");

const { cancelled, toBytes } = require("./call.js");
const { InputError } = require("./errors.js");

const NEWLINE = 0x0a;
/** Bytes read from a file at a time. */
const READ_BYTES = 1 << 20;

/**
 * Cuts a stream into pieces to deliver, holding little more than one of them at a time.
 *
 * Files and byte streams are NDJSON, cut at line ends. Items of any other iterable are documents: objects, and texts of one
 * line, are gathered as NDJSON; a text of several lines goes alone.
 *
 * @param {unknown} input
 * @param {{ size: number, longest: number, signal?: AbortSignal }} limits bytes of a piece, and of a row before it is cut
 * @returns {AsyncGenerator<{ data: Buffer, format: "ndjson" | "auto" }>}
 */
async function* chunks(input, { size, longest, signal }) {
  const isPath = typeof input === "string" || input instanceof URL;
  const items = isPath ? createReadStream(input, { highWaterMark: Math.min(size, READ_BYTES) }) : input;
  if (!(items?.[Symbol.asyncIterator] || (items?.[Symbol.iterator] && !(items instanceof Uint8Array)))) {
    const message = "invalid_input: a stream must be the path of a file, a readable stream or an iterable";
    throw new InputError(message, { code: "invalid_input" });
  }
  const continuous = (items instanceof Readable && !items.readableObjectMode) || typeof items.getReader === "function";
  const rows = new Rows(size, longest);
  for await (const item of abortable(items, signal)) {
    const bytes = toBytes(item);
    const isText = typeof item === "string" || ArrayBuffer.isView(item) || item instanceof ArrayBuffer;
    if (continuous && isText) {
      yield* rows.text(bytes);
    } else if (!bytes.subarray(0, -1).includes(NEWLINE)) {
      yield* rows.row(bytes);
    } else {
      yield* rows.rest();
      yield { data: Buffer.from(bytes), format: "auto" };
    }
  }
  yield* rows.rest();
}

/** Gathers rows until there are enough bytes for a piece. */
class Rows {
  #size;
  #longest;
  /** Whole rows. */
  #whole = [];
  #wholeBytes = 0;
  /** The beginning of a row whose end has not come yet. */
  #open = [];
  #openBytes = 0;

  constructor(size, longest) {
    this.#size = size;
    this.#longest = longest;
  }

  *row(bytes) {
    this.#add(bytes);
    if (bytes[bytes.length - 1] !== NEWLINE) this.#add(Buffer.of(NEWLINE));
    if (this.#wholeBytes >= this.#size) yield this.#take();
  }

  *text(bytes) {
    const end = bytes.lastIndexOf(NEWLINE) + 1;
    if (end > 0) {
      const first = bytes.indexOf(NEWLINE) + 1;
      this.#extend(bytes.subarray(0, first));
      this.#close();
      this.#add(bytes.subarray(first, end));
    }
    this.#extend(bytes.subarray(end));
    if (this.#wholeBytes >= this.#size) yield this.#take();
  }

  *rest() {
    if (this.#openBytes > 0) {
      this.#close();
      this.#add(Buffer.of(NEWLINE));
    }
    if (this.#wholeBytes > 0) yield this.#take();
  }

  #add(bytes) {
    this.#whole.push(bytes);
    this.#wholeBytes += bytes.length;
  }

  /** Past the longest row taken, bytes are let go: one more than that is kept, so that the row is refused for its size. */
  #extend(bytes) {
    const ends = bytes[bytes.length - 1] === NEWLINE;
    const room = this.#longest + 1 - this.#openBytes;
    const kept = bytes.length > room ? bytes.subarray(0, Math.max(room, 0)) : bytes;
    this.#open.push(kept);
    this.#openBytes += kept.length;
    if (ends && kept.length < bytes.length) this.#open.push(Buffer.of(NEWLINE));
  }

  #close() {
    for (const bytes of this.#open) this.#add(bytes);
    this.#open = [];
    this.#openBytes = 0;
  }

  #take() {
    const data = Buffer.concat(this.#whole, this.#wholeBytes);
    this.#whole = [];
    this.#wholeBytes = 0;
    return { data, format: "ndjson" };
  }
}

/** Iterates until the signal fires, even while the next item is being waited for. */
async function* abortable(items, signal) {
  if (!signal) return yield* items;
  const iterator = items[Symbol.asyncIterator]?.() ?? items[Symbol.iterator]();
  let abort;
  const aborted = new Promise((_, reject) => {
    abort = () => reject(cancelled(signal));
    if (signal.aborted) abort();
    else signal.addEventListener("abort", abort, { once: true });
  });
  // Nobody may be waiting when it fires; the next step looks at the signal again.
  aborted.catch(() => {});
  let finished = false;
  try {
    for (;;) {
      const { done, value } = await Promise.race([aborted, iterator.next()]);
      if (done) {
        finished = true;
        return;
      }
      yield value;
    }
  } finally {
    signal.removeEventListener("abort", abort);
    // Not awaited: an iterator that hangs in `next` would hang here too.
    if (!finished) Promise.resolve(iterator.return?.()).catch(() => {});
  }
}

exports.chunks = chunks;
