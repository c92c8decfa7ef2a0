"use strict";

const { call, callAsync, fromBytes, split, toBytes, toOptions } = require("./call.js");
const { native } = require("./native.js");

/** Source data to canonical records. */
function normalize(data, options) {
  return fromBytes(call(() => native.normalize(toOptions(options), toBytes(data))));
}

/** What is wrong with the rows. */
function validate(data, options) {
  return fromBytes(call(() => native.validate(toOptions(options), toBytes(data))));
}

/** What would be sent, and what would not and why. */
function build(data, options) {
  return fromBytes(call(() => native.build(toOptions(options), toBytes(data))));
}

/** `normalize` beside the event loop. */
async function normalizeAsync(data, options) {
  const [text, signal] = split(options);
  return fromBytes(await callAsync(signal, (cancel) => native.normalizeAsync(text, toBytes(data), cancel)));
}

/** `validate` beside the event loop. */
async function validateAsync(data, options) {
  const [text, signal] = split(options);
  return fromBytes(await callAsync(signal, (cancel) => native.validateAsync(text, toBytes(data), cancel)));
}

/** `build` beside the event loop. */
async function buildAsync(data, options) {
  const [text, signal] = split(options);
  return fromBytes(await callAsync(signal, (cancel) => native.buildAsync(text, toBytes(data), cancel)));
}

/** Bytes in, bytes out: the same operations without making objects of the answers. */
const raw = Object.freeze({
  normalize: (data, options) => call(() => native.normalize(toOptions(options), toBytes(data))),
  validate: (data, options) => call(() => native.validate(toOptions(options), toBytes(data))),
  build: (data, options) => call(() => native.build(toOptions(options), toBytes(data))),
});

/** Options read once, for calling many times. */
class Pipeline {
  constructor(options) {
    const pipeline = call(() => new native.Pipeline(toOptions(options)));
    /** Bytes in, bytes out. */
    this.raw = Object.freeze({
      normalize: (data) => call(() => pipeline.normalize(toBytes(data))),
      validate: (data) => call(() => pipeline.validate(toBytes(data))),
      build: (data) => call(() => pipeline.build(toBytes(data))),
    });
  }

  /** Source data to canonical records. */
  normalize(data) {
    return fromBytes(this.raw.normalize(data));
  }

  /** What is wrong with the rows. */
  validate(data) {
    return fromBytes(this.raw.validate(data));
  }

  /** What would be sent, and what would not and why. */
  build(data) {
    return fromBytes(this.raw.build(data));
  }
}

exports.normalize = normalize;
exports.validate = validate;
exports.build = build;
exports.normalizeAsync = normalizeAsync;
exports.validateAsync = validateAsync;
exports.buildAsync = buildAsync;
exports.raw = raw;
exports.Pipeline = Pipeline;
