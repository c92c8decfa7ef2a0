/// <reference types="node" />

/**
 * Carries commerce data into marketing platforms: correctly, once, and fast.
 *
 * Keys of data and settings are `snake_case`, the same words in every language. Money is a decimal string with its currency
 * and never a number; times are RFC 3339 strings in UTC.
 *
 * @packageDocumentation
 */

import type {
  CallOptions,
  CheckReport,
  DestinationChoices,
  DestinationConfig,
  Fix,
  FlushOptions,
  Flushed,
  Letter,
  LetterFilter,
  Normalized,
  PipelineOptions,
  Plan,
  Progress,
  PullOptions,
  PullReport,
  Receipt,
  ReceiveOptions,
  Received,
  Record as CanonicalRecord,
  RunReport,
  Severity,
  Signal,
  SyncOptions,
  ValidationReport,
} from "./types";

export type * from "./types";

/**
 * Data to read: bytes or text as the shop sent it, or the object parsed from it. Bytes are the fastest and the most exact:
 * what was parsed and is written again may have lost digits on the way.
 */
export type Data = Uint8Array | ArrayBufferView | ArrayBuffer | string | object;

/** A call that can be given up. */
export interface Cancellable {
  /**
   * Gives the call up: it rejects with a {@link LifecycleError} with code `cancelled` and the signal's reason as `cause`.
   * What a call has accepted by then stays in the outbox: {@link Sync.flush}, the next call or the next {@link Sync.open}
   * sends what is left of it.
   */
  signal?: AbortSignal;
}

/**
 * Source data to canonical records. Every row of the input is in exactly one list of the answer: a row that cannot be used
 * is in `rejected`, with the reason and the place, and does not disturb its neighbours.
 *
 * Takes about ten microseconds an order and blocks the event loop meanwhile; from about a megabyte on use
 * {@link normalizeAsync}.
 *
 * @throws {@link ConfigError} for options that cannot be used, such as a source that does not exist.
 *
 * @example
 * ```js
 * const { records, rejected } = normalize(body, { source: "commercetools" });
 * ```
 */
export function normalize(data: Data, options: PipelineOptions): Normalized;

/**
 * What is wrong with the rows. Takes source data when `source` is set, else canonical records.
 *
 * @throws {@link ConfigError} for options that cannot be used, {@link InputError} for canonical records that cannot be read
 * as a whole.
 */
export function validate(data: Data, options?: PipelineOptions): ValidationReport;

/**
 * What would be sent, and what would not and why: a dry run without state. Takes source data when `source` is set, else
 * canonical records.
 *
 * The bodies in the answer are parsed, so a vendor's number is a JavaScript number there; {@link raw} keeps every digit.
 *
 * @throws {@link ConfigError} for options that cannot be used, {@link InputError} for canonical records that cannot be read
 * as a whole.
 *
 * @example
 * ```js
 * const plan = build(body, { source: "commercetools", destination: { type: "iterable", project_type: "hybrid" } });
 * for (const { method, path, body } of plan.requests) console.log(method, path, body);
 * ```
 */
export function build(data: Data, options: PipelineOptions): Plan;

/** {@link normalize} on another thread, for large inputs. The data is copied first and may be changed at once. */
export function normalizeAsync(data: Data, options: PipelineOptions & Cancellable): Promise<Normalized>;

/** {@link validate} on another thread, for large inputs. The data is copied first and may be changed at once. */
export function validateAsync(data: Data, options?: PipelineOptions & Cancellable): Promise<ValidationReport>;

/** {@link build} on another thread, for large inputs. The data is copied first and may be changed at once. */
export function buildAsync(data: Data, options: PipelineOptions & Cancellable): Promise<Plan>;

/**
 * The same operations, bytes in and bytes out: the answers are JSON text that nobody has parsed, for passing on, storing or
 * comparing. Input buffers are read in place, outputs are not copied.
 */
export const raw: {
  /** {@link normalize} to JSON text: {@link Normalized}. */
  normalize(data: Data, options: PipelineOptions): Buffer;
  /** {@link validate} to JSON text: {@link ValidationReport}. */
  validate(data: Data, options?: PipelineOptions): Buffer;
  /** {@link build} to JSON text: {@link Plan}. */
  build(data: Data, options: PipelineOptions): Buffer;
};

/**
 * Options read once, for calling many times.
 *
 * @example
 * ```js
 * const pipeline = new Pipeline({ source: "commercetools", destination, format: "ndjson" });
 * for (const page of pages) out.write(pipeline.raw.build(page));
 * ```
 */
export class Pipeline {
  /** @throws {@link ConfigError} for options that cannot be used. */
  constructor(options: PipelineOptions);
  /** As {@link normalize}. */
  normalize(data: Data): Normalized;
  /** As {@link validate}. */
  validate(data: Data): ValidationReport;
  /** As {@link build}. */
  build(data: Data): Plan;
  /** As {@link raw}. */
  readonly raw: {
    /** As `raw.normalize`. */
    normalize(data: Data): Buffer;
    /** As `raw.validate`. */
    validate(data: Data): Buffer;
    /** As `raw.build`. */
    build(data: Data): Buffer;
  };
}

/** What {@link Sync.deliverStream} reads. */
export type DataStream = string | URL | AsyncIterable<Data> | Iterable<Data>;

/** Options of {@link Sync.deliverStream}. */
export interface StreamOptions extends Omit<CallOptions, "format" | "run">, Cancellable {
  /** Bytes delivered at a time; 4 MiB unless given. The memory used is a small multiple of it. */
  chunk_bytes?: number;
  /** Called after each of them with how the run stands. An error thrown here ends the delivery. */
  onProgress?: (progress: Progress) => void;
}

/** A `Sync` delivers to one destination, or to several. */
export type Destinations =
  | { destination: DestinationConfig; destinations?: never }
  | { destination?: never; destinations: DestinationChoices };

/** Headers as a server of Node or fetch has them. */
export type CallHeaders = { [name: string]: string | string[] | undefined } | { entries(): IterableIterator<[string, string]> };

/** Options of {@link Sync.pull}. */
export interface PullCallOptions extends Omit<PullOptions, "run">, Cancellable {
  /** Called several times a second with how the run stands. An error thrown here makes the call reject at its end. */
  onProgress?: (progress: Progress) => void;
}

/**
 * A source, a destination and a state, working together: what is accepted is delivered once, in order, and what the
 * destination refuses is kept.
 *
 * Nothing here blocks the event loop. All methods reject with a {@link LifecycleError} with code `closed` after
 * {@link Sync.close}, and with a {@link StateError} when the state cannot be read or written.
 *
 * @example
 * ```js
 * await using sync = await Sync.open({ source: "commercetools", destination, state: "sqlite:cartwire.db" });
 * const report = await sync.deliver(page);
 * console.log(report.counts);
 * ```
 */
export class Sync implements AsyncDisposable {
  private constructor();

  /**
   * Opens the state and starts delivering what still waits in it. An open `Sync` does not keep the process running; close
   * it before the process ends, so that nothing is under way.
   *
   * @throws {@link ConfigError} for options that cannot be used, {@link StateError} for a state that another process holds,
   * that a newer version wrote or that cannot be read.
   */
  static open(options: SyncOptions & Destinations & Cancellable): Promise<Sync>;

  /** What {@link Sync.deliver} would send, without sending or remembering anything. */
  plan(data: Data, options?: CallOptions & Cancellable): Promise<Plan>;

  /**
   * Accepts, sends and waits for the verdicts. A record that is refused is in the report, as a rejection or a dead letter,
   * and is no error.
   */
  deliver(data: Data, options?: CallOptions & Cancellable): Promise<RunReport>;

  /**
   * Delivers a file or stream piece by piece as one run, in bounded memory.
   *
   * A path or `file:` URL, and a readable stream of bytes or text, is NDJSON: one document a line. Of any other iterable
   * every item is a document: an object, or bytes or text as {@link Sync.deliver} takes them. The next piece is read when
   * the one before it is settled, so that a slow destination slows the reading down.
   *
   * @example
   * ```js
   * const report = await sync.deliverStream("export.ndjson", { mode: "backfill", onProgress: ({ counts }) => bar(counts) });
   * ```
   */
  deliverStream(input: DataStream, options?: StreamOptions): Promise<RunReport>;

  /**
   * Commits to the outbox and answers, in milliseconds; delivery goes on in the background. Once it has answered, the
   * records survive what the `durability` setting says, so a webhook can be acknowledged.
   */
  accept(data: Data, options?: CallOptions & Cancellable): Promise<Receipt>;

  /**
   * Tells what a visitor did that no shop API tells: one signal, or several. Commits to the outbox and answers, without
   * waiting for the destination. The same `id` is the same thing, however often it is sent; without one, the content and
   * the time are. A signal that cannot be used is in the receipt's `rejected`.
   *
   * @example
   * ```js
   * await sync.track({ event: "product_viewed", id: eventId, customer_id: "c1", product_id: "p1" });
   * ```
   */
  track(signals: Signal | Signal[], options?: Cancellable): Promise<Receipt>;

  /**
   * Takes one message of the shop's queue or one call of its webhook: verifies it, where the source's calls carry a proof,
   * commits what it says to the outbox and answers; answer the shop after that. What the message only names is read from the
   * shop in the background, also by the next process if this one ends before.
   *
   * @param headers Headers of the call: `request.headers` of Node, `Headers` of fetch, or a plain object. Queues have none.
   * @throws {@link InputError} with code `signature_mismatch` or `signature_expired` for a call that is not the shop's, or an
   * old one.
   *
   * @example
   * ```js
   * app.post("/webhooks/shop", async (request, response) => {
   *   await sync.receive(request.body, request.headers);
   *   response.sendStatus(200);
   * });
   * ```
   */
  receive(body: Data, headers?: CallHeaders | null, options?: Omit<ReceiveOptions, "headers"> & Cancellable): Promise<Received>;

  /**
   * Reads from the shop what changed since the last pull, delivers it and waits for the verdicts, in bounded memory. Where
   * each stream stands is kept in the state: a pull that was killed or given up goes on where it was. The first pull of a
   * stream reads all there is, as a `backfill` unless `mode` says otherwise.
   *
   * @throws {@link ConfigError} when the source's settings do not say how to read, or for a stream it does not have;
   * {@link DestinationError} with code `unauthorized` when the shop refuses the credentials.
   *
   * @example
   * ```js
   * const report = await sync.pull({ streams: ["orders"], onProgress: ({ counts }) => bar(counts) });
   * console.log(report.streams.orders.rows, report.run.counts);
   * ```
   */
  pull(options?: PullCallOptions): Promise<PullReport>;

  /** Waits until nothing waits for the destination any more, or until `timeout_s` is over. */
  flush(options?: FlushOptions & Cancellable): Promise<Flushed>;

  /** How the runs under way stand. Never waits. */
  progress(): Progress[];

  /** What the destination refused for good, oldest first. */
  deadLetters(filter?: LetterFilter, options?: Cancellable): Promise<Letter[]>;

  /**
   * Sends dead letters again, all or those of the filter, rebuilt from their canonical records, under their own idempotency
   * keys.
   *
   * @example
   * ```js
   * const [letter] = await sync.deadLetters({ code: "rejected" });
   * letter.record.envelope.identity.email = "corrected@example.com";
   * await sync.replay({ ids: [letter.id] }, { fixes: [{ id: letter.id, record: letter.record }] });
   * ```
   */
  replay(filter?: LetterFilter, options?: { fixes?: Fix[] } & Cancellable): Promise<RunReport>;

  /** Removes dead letters for good: those of the filter, all for `{}`. Answers how many. */
  discard(filter: LetterFilter, options?: Cancellable): Promise<number>;

  /** The reports of the newest runs, the newest first; 20 unless `limit` says otherwise. */
  runs(options?: { limit?: number } & Cancellable): Promise<RunReport[]>;

  /** Whether the destination takes the credentials, without side effects. */
  check(options?: Cancellable): Promise<CheckReport>;

  /**
   * Stops delivery, gives back what was claimed and closes the state. What waits stays in the outbox. Closing twice is
   * fine.
   */
  close(): Promise<void>;

  /** {@link Sync.close}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** A request that a {@link Sandbox} received, with its answer. */
export interface Exchange {
  /** The destination whose server it was. */
  vendor: string;
  /** HTTP method. */
  method: string;
  /** The whole URL. */
  url: string;
  /** What was sent. */
  body?: unknown;
  /** HTTP status of the answer. */
  status?: number;
  /** What was answered. */
  response?: unknown;
  [more: string]: unknown;
}

/**
 * Servers on loopback that behave as the marketing platforms do: limits, type locks, partial failures, and faults on demand.
 * To try a set-up and to test jobs of one's own without an account.
 *
 * @example
 * ```js
 * await using sandbox = await Sandbox.start();
 * const destination = { type: "iterable", project_type: "hybrid", api_key: "any", base_url: sandbox.url("iterable") };
 * ```
 */
export class Sandbox implements AsyncDisposable {
  private constructor();

  /**
   * Starts the servers, on ports of their own.
   *
   * @throws {@link ConfigError} for options that cannot be used.
   */
  static start(options?: object): Promise<Sandbox>;

  /**
   * Made-up shop data as commercetools would send it, one record a line; the same options give the same bytes.
   *
   * @throws {@link InputError} for an option the shop does not know.
   */
  static sample(options: {
    resource: "customer" | "product" | "category" | "cart" | "order";
    count?: number;
    first?: number;
    seed?: number;
    revision?: number;
    customers?: number;
    malformed_every?: number;
    lines?: number;
    ballast?: number;
    changed_only?: boolean;
  }): Buffer;

  /** The base URL of a destination's server, such as of `iterable`; undefined for a destination without one. */
  url(destination: string): string | undefined;

  /**
   * What a server holds, such as `{ what: "profile", email: "mara@example.com" }`.
   *
   * @throws {@link InputError} for a question it does not understand.
   */
  inspect(query: object): any;

  /**
   * Changes what a shop holds, such as `{ vendor: "bigcommerce", resource: "order", id: 100, do: "ship" }`. Answers with the row's
   * id, and the webhooks that the platform would send because of it.
   *
   * @throws {@link InputError} for a change the shop does not know, or that can't be made.
   */
  change(change: object): { id: number | string; webhooks: { headers: Record<string, string>; body: string }[] };

  /**
   * Lets requests fail from now on, such as `{ match: { path: "/api/users" }, fault: { kind: "status", status: 429 }, times: 2 }`.
   *
   * @throws {@link InputError} for a fault it does not understand.
   */
  fault(fault: object): void;

  /** Takes all faults back. */
  clearFaults(): void;

  /** Every request and its answer so far, in order. */
  exchanges(): Exchange[];

  /** Forgets everything: state, faults and exchanges. */
  reset(): void;

  /** Stops the servers. */
  stop(): Promise<void>;

  /** {@link Sandbox.stop}, for `await using`. */
  [Symbol.asyncDispose](): Promise<void>;
}

/** One log event. It never holds a payload, a secret or personal data. */
export interface LogEvent {
  /** Milliseconds since 1970. */
  time: number;
  /** How important it is. */
  level: "error" | "warn" | "info" | "debug" | "trace";
  /** The part of the library, such as `cartwire::delivery`. */
  target: string;
  /** One sentence. */
  message: string;
  /** Facts, such as `correlation_id`. */
  fields: { [name: string]: unknown };
}

/**
 * Sends the library's log events from now on to a function, in place of the one before; `null` sends them to nobody, as at
 * the start. There is one for the process. A function that is too slow loses events, and is told how many.
 *
 * @example
 * ```js
 * setLogger(({ level, message, fields }) => logger[level](fields, message), { level: "debug" });
 * ```
 */
export function setLogger(callback: ((event: LogEvent) => void) | null, options?: { level?: LogEvent["level"] }): void;

/** What this build knows: names, codes with their descriptions, and the destinations' capability tables. */
export interface Catalog {
  /** The version of the library. */
  version: string;
  /** Names of the sources. */
  sources: string[];
  /** Names of the destinations. */
  destinations: string[];
  /** The words that `type` of a record's body can be. */
  record_kinds: string[];
  /** Codes of {@link CartwireError}. */
  error_codes: { code: string; class: string; description: string }[];
  /** Codes of findings. */
  finding_codes: { code: string; severity: Severity; description: string }[];
  /** Why something may not be sent. */
  skip_reasons: { reason: string; description: string }[];
  /** What each destination can take, and how fast. */
  capabilities: unknown;
}

/** What this build knows. */
export function catalog(): Catalog;

/** The version of the library, addon and JavaScript alike. */
export const version: string;

/** Base class of everything this library throws or rejects with. */
export class CartwireError extends Error {
  constructor(message: string, facts?: object, options?: { cause?: unknown });
  /** Stable code, such as `rate_limited`; {@link catalog} lists them. */
  readonly code: string;
  /** Whether the same call can succeed later. */
  readonly retryable: boolean;
  /** Seconds that the destination asked to wait. */
  readonly retryAfter: number | undefined;
  /** The operation that failed. */
  readonly operation: string | undefined;
  /** JSON pointer (RFC 6901) to what is at fault in the options or data. */
  readonly path: string | undefined;
  /** Further facts. */
  readonly context: { readonly [name: string]: string };
  /** Ties the error to the logs of one record or run. */
  readonly correlationId: string | undefined;
}

/** The caller's data cannot be used: `invalid_json`, `invalid_input`, `unsupported`, `signature_mismatch`, `signature_expired`. */
export class InputError extends CartwireError {}
/** The caller's options cannot be used: `invalid_config`, `unknown_name`. */
export class ConfigError extends CartwireError {}
/** The destination said no for good: `unauthorized`, `forbidden`, `not_found`, `conflict`, `too_large`, `rejected`. */
export class DestinationError extends CartwireError {}
/** The destination or the network said no for now: `rate_limited`, `timeout`, `network`, `unavailable`, `job_lost`. */
export class TransientError extends CartwireError {}
/** The state store failed: `state_locked`, `state_corrupt`, `state_version`. */
export class StateError extends CartwireError {}
/** The handle cannot be used any more, or the caller cancelled: `closed`, `cancelled`, `forked`. */
export class LifecycleError extends CartwireError {}
/** A defect in cartwire; please report it: `internal`. */
export class InternalError extends CartwireError {}

/** A canonical record, under a name that does not hide TypeScript's own `Record`. */
export type { CanonicalRecord };
