// Checked by `npm run types:check`, never run: every public name is used as its types allow, and what they must refuse is
// marked. Imports the package by its own name, as users do.

import {
  CartwireError,
  ConfigError,
  DestinationError,
  InputError,
  InternalError,
  LifecycleError,
  Pipeline,
  Sandbox,
  StateError,
  Sync,
  TransientError,
  build,
  buildAsync,
  catalog,
  normalize,
  normalizeAsync,
  raw,
  setLogger,
  validate,
  validateAsync,
  version,
  type Body,
  type CanonicalRecord,
  type Catalog,
  type Data,
  type DataStream,
  type DestinationConfig,
  type Exchange,
  type Letter,
  type LetterFilter,
  type LogEvent,
  type Money,
  type Normalized,
  type PipelineOptions,
  type Plan,
  type Progress,
  type Receipt,
  type RunReport,
  type SkipReason,
  type SourceConfig,
  type StreamOptions,
  type SyncOptions,
  type ValidationReport,
} from "cartwire";

type Equal<A, B> = (<T>() => T extends A ? 1 : 2) extends <T>() => T extends B ? 1 : 2 ? true : false;
declare function is<T extends true>(): T;

declare const data: Data;
declare const bytes: Buffer;
const signal = AbortSignal.timeout(1000);

// Settings
const source: SourceConfig = { type: "commercetools" };
const destination: DestinationConfig = { type: "iterable", project_type: "hybrid", api_key: "key", base_url: "http://127.0.0.1:1" };
const options: PipelineOptions = { source, destination, mode: "backfill", format: "ndjson", now: "2026-01-31T12:00:00Z" };
// @ts-expect-error a typo in a key
const typo: PipelineOptions = { destinaton: destination };
// @ts-expect-error an unknown destination
const unknownDestination: DestinationConfig = { type: "nowhere", project_type: "hybrid" };
// @ts-expect-error a key the destination does not have
const wrongKey: DestinationConfig = { type: "iterable", project_type: "hybrid", apiKey: "key" };
// @ts-expect-error a key of another integration
const foreignKey: SourceConfig = { type: "commercetools", project_type: "hybrid" };
// @ts-expect-error a word that `mode` does not know
const wrongMode: PipelineOptions = { mode: "history" };
// @ts-expect-error a destination is needed
const noDestination: Parameters<typeof Sync.open>[0] = { source };
// @ts-expect-error one destination or several, not both
const bothDestinations: Parameters<typeof Sync.open>[0] = { destination, destinations: [destination] };
const twoDestinations: Parameters<typeof Sync.open>[0] = { source, destinations: { eu: destination, us: destination } };

// Pure functions
const normalized: Normalized = normalize(data, { source: "commercetools" });
const report: ValidationReport = validate(normalized.records);
const plan: Plan = build(bytes, options);
is<Equal<ReturnType<typeof raw.build>, Buffer>>();
raw.normalize(bytes, options).byteLength;
raw.validate("[]").toString();
const pipeline = new Pipeline(options);
is<Equal<ReturnType<Pipeline["build"]>, Plan>>();
pipeline.raw.build(bytes).length;
pipeline.normalize(data).records;
pipeline.validate(data).ok;
// @ts-expect-error a number is no data
normalize(5, options);
// @ts-expect-error synchronous calls cannot be cancelled
build(data, { ...options, signal });

// Records: money is a string, bodies are told apart by `type`
declare const record: CanonicalRecord;
const body: Body = record.body;
if (body.type === "order") {
  const total: Money | null | undefined = body.totals.total;
  const amount: string | undefined = total?.amount;
  // @ts-expect-error money is no number
  const number: number | undefined = total?.amount;
  // @ts-expect-error an order has no date of birth
  body.date_of_birth;
}
// @ts-expect-error amounts are decimal strings
const price: Money = { amount: 19.9, currency: "EUR" };
const reason: SkipReason | undefined = plan.skipped[0]?.reason;

async function asynchronous(): Promise<void> {
  const [a, b, c] = await Promise.all([
    normalizeAsync(data, { source, signal }),
    validateAsync(data, { signal }),
    buildAsync(data, { ...options, signal }),
  ]);
  is<Equal<typeof a, Normalized>>();
  is<Equal<typeof b, ValidationReport>>();
  is<Equal<typeof c, Plan>>();
  // @ts-expect-error a typo in a key
  await buildAsync(data, { sorce: "commercetools", signal });

  const sandbox: AsyncDisposable & Sandbox = await Sandbox.start({});
  const url: string | undefined = sandbox.url("iterable");
  sandbox.inspect({ what: "counts" });
  sandbox.fault({ fault: { kind: "reset" } });
  sandbox.clearFaults();
  const told: { body: string }[] = sandbox.change({ vendor: "bigcommerce", resource: "order", id: 100, do: "ship" }).webhooks;
  const exchanges: Exchange[] = sandbox.exchanges();
  sandbox.reset();
  await sandbox.stop();
  // @ts-expect-error started with `Sandbox.start`
  new Sandbox();

  const sync: AsyncDisposable & Sync = await Sync.open({ source, destination, state: "memory:", signal });
  is<Equal<Awaited<ReturnType<Sync["plan"]>>, Plan>>();
  await sync.plan(data, { signal });
  const delivered: RunReport = await sync.deliver(data, { mode: "live", correlation_id: "c-1", signal });
  const accepted: Receipt = await sync.accept({ any: "object" });
  const tracked: Receipt = await sync.track({ event: "searched", customer_id: "c1", query: "tent", properties: { results: 4 } }, { signal });
  await sync.track([{ event: "product_viewed", anonymous_id: "s1", product_id: "p1", value: { amount: "12.50", currency: "EUR" } }]);
  // @ts-expect-error a signal says what happened
  await sync.track({ customer_id: "c1" });
  const stream: DataStream = "file.ndjson";
  const streamed: StreamOptions = { chunk_bytes: 1, mode: "backfill", onProgress: (progress: Progress) => progress.counts.rows, signal };
  await sync.deliverStream(stream, streamed);
  await sync.deliverStream(new URL("file:///file.ndjson"));
  await sync.deliverStream((async function* () { yield bytes; })());
  await sync.deliverStream([{ id: 1 }]);
  // @ts-expect-error a stream is always NDJSON or documents
  await sync.deliverStream(stream, { format: "json" });
  // @ts-expect-error a typo in a key
  await sync.deliver(data, { mod: "live" });
  const waiting: number = (await sync.flush({ timeout_s: 1, signal })).waiting;
  const progress: Progress[] = sync.progress();
  const filter: LetterFilter = { code: "rejected", limit: 10 };
  const letters: Letter[] = await sync.deadLetters(filter, { signal });
  // @ts-expect-error a typo in a key
  await sync.deadLetters({ cod: "rejected" });
  await sync.replay({}, { fixes: letters.map(({ id, record }) => ({ id, record })), signal });
  const discarded: number = await sync.discard({}, { signal });
  // @ts-expect-error nothing is discarded by accident
  await sync.discard();
  const runs: RunReport[] = await sync.runs({ limit: 1, signal });
  const ok: boolean = (await sync.check({ signal })).ok;
  await sync.close();
  await sync[Symbol.asyncDispose]();
  // @ts-expect-error opened with `Sync.open`
  new Sync();
}

// Errors
try {
  normalize(data, options);
} catch (error) {
  if (error instanceof CartwireError) {
    const facts: [string, boolean, number | undefined, string | undefined] = [error.code, error.retryable, error.retryAfter, error.path];
    const more: [{ readonly [name: string]: string }, string | undefined, unknown] = [error.context, error.correlationId, error.cause];
    // @ts-expect-error errors are not changed
    error.code = "other";
  }
}
const classes: (typeof CartwireError)[] = [
  InputError,
  ConfigError,
  DestinationError,
  TransientError,
  StateError,
  LifecycleError,
  InternalError,
];

// The rest
setLogger((event: LogEvent) => event.fields["correlation_id"], { level: "debug" });
setLogger(null);
// @ts-expect-error a level that does not exist
setLogger(null, { level: "loud" });
const known: Catalog = catalog();
const text: string = version;
