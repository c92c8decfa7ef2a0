"use strict";

const { types } = require("node:util");

/** Base class of everything this library throws or rejects with. See `index.d.ts` for the fields. */
class CartwireError extends Error {
  /**
   * @param {string} message one sentence; never a payload, a secret or personal data
   * @param {object} [facts] the fields, as they come from the addon
   * @param {{ cause?: unknown }} [options]
   */
  constructor(message, facts = {}, options = undefined) {
    const cause = options?.cause ?? facts.cause ?? undefined;
    super(message, cause === undefined ? undefined : { cause });
    this.code = facts.code ?? "internal";
    this.retryable = facts.retryable ?? false;
    this.retryAfter = facts.retry_after_s ?? undefined;
    this.operation = facts.operation ?? undefined;
    this.path = facts.path ?? undefined;
    this.context = facts.context ?? {};
    this.correlationId = facts.correlation_id ?? undefined;
  }

  get name() {
    return this.constructor.name;
  }
}

/** The caller's data cannot be used. */
class InputError extends CartwireError {}
/** The caller's options cannot be used. */
class ConfigError extends CartwireError {}
/** The destination said no for good. */
class DestinationError extends CartwireError {}
/** The destination or the network said no for now. */
class TransientError extends CartwireError {}
/** The state store failed. */
class StateError extends CartwireError {}
/** The handle is closed, or the caller cancelled. */
class LifecycleError extends CartwireError {}
/** A defect in cartwire; please report it. */
class InternalError extends CartwireError {}

const CLASSES = { InputError, ConfigError, DestinationError, TransientError, StateError, LifecycleError, InternalError };

/**
 * The error that the addon meant: it can only throw plain errors, with the facts as JSON in the message.
 *
 * @param {unknown} thrown
 * @param {{ cause?: unknown }} [options]
 * @returns {unknown} a `CartwireError`, or what was thrown when the addon did not throw it
 */
function fromNative(thrown, options) {
  // Not `instanceof Error`: test runners give modules an `Error` of their own, which the addon's errors are not made of.
  if (!types.isNativeError(thrown) || thrown instanceof CartwireError) return thrown;
  let facts;
  try {
    facts = JSON.parse(thrown.message);
  } catch {
    // Thrown by the layer below the addon's own code, such as for an argument of a wrong type.
    return new InternalError(thrown.message, {}, { cause: thrown });
  }
  const error = new (CLASSES[facts.class] ?? InternalError)(facts.text ?? facts.message, facts, options);
  Error.captureStackTrace?.(error, fromNative);
  return error;
}

exports.CartwireError = CartwireError;
exports.InputError = InputError;
exports.ConfigError = ConfigError;
exports.DestinationError = DestinationError;
exports.TransientError = TransientError;
exports.StateError = StateError;
exports.LifecycleError = LifecycleError;
exports.InternalError = InternalError;
exports.CLASSES = CLASSES;
exports.fromNative = fromNative;
