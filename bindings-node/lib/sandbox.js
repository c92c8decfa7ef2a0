"use strict";

const { call, callAsync, fromBytes, toOptions } = require("./call.js");
const { ConfigError } = require("./errors.js");
const { native } = require("./native.js");

const STARTED = Symbol("started");

/** Servers on loopback that behave as the marketing platforms do. */
class Sandbox {
  #sandbox;

  /** Use `Sandbox.start`. */
  constructor(started, sandbox) {
    if (started !== STARTED) throw new ConfigError("invalid_config: start one with `await Sandbox.start()`", { code: "invalid_config" });
    this.#sandbox = sandbox;
  }

  /** Starts the servers. */
  static async start(options) {
    return new Sandbox(STARTED, await callAsync(undefined, () => native.startSandbox(toOptions(options))));
  }

  /** Made-up shop data, one record a line. */
  static sample(options) {
    return call(() => native.sampleData(toOptions(options)));
  }

  /** The base URL of a destination's server. */
  url(destination) {
    return call(() => this.#sandbox.url(destination)) ?? undefined;
  }

  /** What a server holds. */
  inspect(query) {
    return fromBytes(call(() => this.#sandbox.inspect(toOptions(query))));
  }

  /** Changes what a shop holds. */
  change(change) {
    return fromBytes(call(() => this.#sandbox.change(toOptions(change))));
  }

  /** Lets requests fail from now on. */
  fault(fault) {
    call(() => this.#sandbox.fault(toOptions(fault)));
  }

  /** Takes all faults back. */
  clearFaults() {
    call(() => this.#sandbox.clearFaults());
  }

  /** Every request and its answer so far, in order. */
  exchanges() {
    const lines = call(() => this.#sandbox.exchanges()).toString().split("\n");
    return lines.filter((line) => line !== "").map((line) => JSON.parse(line));
  }

  /** Forgets everything: state, faults and exchanges. */
  reset() {
    call(() => this.#sandbox.reset());
  }

  /** Stops the servers. */
  async stop() {
    await callAsync(undefined, () => this.#sandbox.stop());
  }
}

if (Symbol.asyncDispose) Sandbox.prototype[Symbol.asyncDispose] = Sandbox.prototype.stop;

exports.Sandbox = Sandbox;
