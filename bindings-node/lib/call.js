"use strict";

const { types } = require("node:util");

const { InputError, LifecycleError, fromNative } = require("./errors.js");
const { native } = require("./native.js");

/**
 * Data as the addon takes it: bytes as they are, text as UTF-8, anything else as JSON.
 *
 * @param {unknown} input
 * @returns {Uint8Array}
 */
function toBytes(input) {
  if (input instanceof Uint8Array) return input;
  if (typeof input === "string") return Buffer.from(input);
  if (ArrayBuffer.isView(input)) return new Uint8Array(input.buffer, input.byteOffset, input.byteLength);
  if (types.isAnyArrayBuffer(input)) return new Uint8Array(input);
  if (typeof input !== "object" || input === null) {
    throw unusable("data must be a Buffer, a Uint8Array, a string or an object");
  }
  // These would be written as `{}` and delivered as nothing.
  if (typeof input.then === "function") throw unusable("data is a promise; await it first");
  if (input[Symbol.asyncIterator]) throw unusable("data is a stream; `Sync.deliverStream` reads those");
  try {
    return Buffer.from(JSON.stringify(input));
  } catch (cause) {
    throw unusable("the object cannot be written as JSON", cause);
  }
}

function unusable(why, cause) {
  return new InputError(`invalid_input: ${why}`, { code: "invalid_input" }, { cause });
}

/** Options as the addon takes them; what they may say is checked there. */
function toOptions(options) {
  return Buffer.from(JSON.stringify(options ?? {}));
}

/** Options without the signal, and the signal. */
function split(options) {
  const { signal, ...rest } = options ?? {};
  return [toOptions(rest), signal];
}

function fromBytes(bytes) {
  return JSON.parse(bytes.toString());
}

/**
 * Makes a synchronous call.
 *
 * @template T
 * @param {() => T} invoke
 * @returns {T}
 */
function call(invoke) {
  try {
    return invoke();
  } catch (thrown) {
    throw fromNative(thrown);
  }
}

/**
 * Makes an asynchronous call that a signal may cancel.
 *
 * @template T
 * @param {AbortSignal | undefined} signal
 * @param {(cancel?: object) => Promise<T>} invoke
 * @returns {Promise<T>}
 */
async function callAsync(signal, invoke) {
  throwIfCancelled(signal);
  const cancel = signal && new native.Cancel();
  const abort = () => cancel.cancel();
  signal?.addEventListener("abort", abort, { once: true });
  try {
    return await invoke(cancel);
  } catch (thrown) {
    const error = fromNative(thrown);
    throw error.code === "cancelled" && signal?.aborted ? cancelled(signal) : error;
  } finally {
    signal?.removeEventListener("abort", abort);
  }
}

function throwIfCancelled(signal) {
  if (signal?.aborted) throw cancelled(signal);
}

function cancelled(signal) {
  return new LifecycleError("cancelled: the caller cancelled", { code: "cancelled" }, { cause: signal.reason });
}

exports.toBytes = toBytes;
exports.toOptions = toOptions;
exports.split = split;
exports.fromBytes = fromBytes;
exports.call = call;
exports.callAsync = callAsync;
exports.cancelled = cancelled;
