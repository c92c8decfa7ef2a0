"use strict";

const { call, callAsync, fromBytes, split, toBytes, toOptions } = require("./call.js");
const { chunks } = require("./chunks.js");
const { ConfigError } = require("./errors.js");
const { native } = require("./native.js");

/** Bytes of one piece of a stream, unless told. */
const CHUNK_BYTES = 4 << 20;
/** The library's own limit of a row, unless told: what is longer need not be held to be refused. */
const MAX_RECORD_BYTES = 16 << 20;

/** How often a pull tells how it goes. */
const PROGRESS_MS = 250;

const OPENED = Symbol("opened");

/** A source, a destination and a state, working together. */
class Sync {
  #engine;
  #longest;

  /** Use `Sync.open`. */
  constructor(opened, engine, longest) {
    if (opened !== OPENED) throw new ConfigError("invalid_config: open one with `await Sync.open(options)`", { code: "invalid_config" });
    this.#engine = engine;
    this.#longest = longest;
  }

  /** Opens the state and starts delivering what still waits in it. */
  static async open(options) {
    const [text, signal] = split(options);
    const engine = await callAsync(signal, (cancel) => native.openEngine(text, cancel));
    return new Sync(OPENED, engine, options.max_record_bytes ?? MAX_RECORD_BYTES);
  }

  /** What would be sent, without sending or remembering anything. */
  async plan(data, options) {
    const [text, signal] = split(options);
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.plan(text, toBytes(data), cancel)));
  }

  /** Accepts, sends and waits for the verdicts. */
  async deliver(data, options) {
    const [text, signal] = split(options);
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.deliver(text, toBytes(data), cancel)));
  }

  /** Delivers a file or stream piece by piece, as one run. */
  async deliverStream(input, options) {
    const { signal, onProgress, chunk_bytes: size = CHUNK_BYTES, ...settings } = options ?? {};
    const { run } = fromBytes(await callAsync(signal, (cancel) => this.#engine.startRun(toOptions(settings), cancel)));
    try {
      for await (const { data, format } of chunks(input, { size, longest: this.#longest, signal })) {
        await callAsync(signal, (cancel) => this.#engine.deliver(toOptions({ ...settings, run, format }), data, cancel));
        onProgress?.(this.progress().find((progress) => progress.run === run));
      }
    } catch (error) {
      // The report of what was done is kept with the run, but whoever cancelled must not wait for it.
      const finished = this.#finish(run).catch(() => undefined);
      if (!signal?.aborted) await finished;
      throw error;
    }
    return this.#finish(run, signal);
  }

  async #finish(run, signal) {
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.finishRun(run, cancel)));
  }

  /** Commits to the outbox and answers; delivery goes on in the background. */
  async accept(data, options) {
    const [text, signal] = split(options);
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.accept(text, toBytes(data), cancel)));
  }

  /** Tells what a visitor did that no shop API tells: one signal, or several. */
  async track(signals, options) {
    const [text, signal] = split({ ...options, resource: "signal" });
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.accept(text, toBytes(signals), cancel)));
  }

  /** Takes one message of the shop's queue or one call of its webhook, and answers once it is safe. */
  async receive(body, headers, options) {
    const { signal, ...rest } = options ?? {};
    const given = typeof headers?.entries === "function" ? Object.fromEntries(headers.entries()) : headers;
    const text = toOptions({ ...rest, headers: given ?? {} });
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.receive(text, toBytes(body), cancel)));
  }

  /** Reads from the shop what changed since the last pull, delivers it and waits for the verdicts. */
  async pull(options) {
    const { signal, onProgress, ...settings } = options ?? {};
    const pull = (text) => callAsync(signal, (cancel) => this.#engine.pull(text, cancel));
    if (!onProgress) return fromBytes(await pull(toOptions(settings)));
    const { run } = fromBytes(await callAsync(signal, (cancel) => this.#engine.startRun(toOptions({ mode: settings.mode }), cancel)));
    let failed;
    const tell = () => {
      try {
        onProgress(this.progress().find((progress) => progress.run === run));
      } catch (error) {
        failed ??= error;
      }
    };
    const timer = setInterval(tell, PROGRESS_MS);
    try {
      const report = fromBytes(await pull(toOptions({ ...settings, run })));
      tell();
      if (failed) throw failed;
      return { ...report, run: await this.#finish(run, signal) };
    } catch (error) {
      const finished = this.#finish(run).catch(() => undefined);
      if (!signal?.aborted) await finished;
      throw error;
    } finally {
      clearInterval(timer);
    }
  }

  /** Waits until nothing waits for the destination any more. */
  async flush(options) {
    const [text, signal] = split(options);
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.flush(text, cancel)));
  }

  /** How the runs under way stand; never waits. */
  progress() {
    return fromBytes(call(() => this.#engine.progress()));
  }

  /** What the destination refused for good. */
  async deadLetters(filter, options) {
    return fromBytes(await callAsync(options?.signal, (cancel) => this.#engine.deadLetters(toOptions(filter), cancel)));
  }

  /** Sends dead letters again, rebuilt from their records, under their own idempotency keys. */
  async replay(filter, options) {
    const { signal, ...rest } = options ?? {};
    const text = toOptions({ filter, ...rest });
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.replay(text, cancel)));
  }

  /** Removes dead letters for good. */
  async discard(filter, options) {
    if (typeof filter !== "object" || filter === null) {
      throw new ConfigError("invalid_config: say which dead letters to discard, `{}` for all", { code: "invalid_config" });
    }
    const answer = fromBytes(await callAsync(options?.signal, (cancel) => this.#engine.discard(toOptions(filter), cancel)));
    return answer.discarded;
  }

  /** The reports of the newest runs. */
  async runs(options) {
    const { limit = 20, signal } = options ?? {};
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.runs(limit, cancel)));
  }

  /** Whether the destination takes the credentials, without side effects. */
  async check(options) {
    return fromBytes(await callAsync(options?.signal, (cancel) => this.#engine.check(cancel)));
  }

  /** What the destinations hold of what rows say, read back and compared; writes nothing. */
  async reconcile(data, options) {
    const [text, signal] = split(options);
    return fromBytes(await callAsync(signal, (cancel) => this.#engine.reconcile(text, toBytes(data), cancel)));
  }

  /** Stops delivery and closes the state; what waits stays in the outbox. */
  async close() {
    await callAsync(undefined, () => this.#engine.close());
  }
}

// Node before 20.5 has no such symbol, and no `await using` either.
if (Symbol.asyncDispose) Sync.prototype[Symbol.asyncDispose] = Sync.prototype.close;

exports.Sync = Sync;
