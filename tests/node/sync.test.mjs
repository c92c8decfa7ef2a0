// `Sync` against the sandbox: delivered once, refused things kept, and the event loop left alone.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { setTimeout as sleep } from "node:timers/promises";

import { LifecycleError, Sandbox, Sync, setLogger } from "cartwire";

import { customer, destinationOf, ndjson, order, orderCreated, setUp } from "./support.mjs";

const posts = (sandbox) => sandbox.exchanges().filter(({ method }) => method === "POST");

/** Waits until something holds, and fails when it does not in time. */
async function until(holds, what, most = 5000) {
  for (const end = performance.now() + most; performance.now() < end; await sleep(5)) {
    if (await holds()) return;
  }
  assert.fail(`waited in vain: ${what}`);
}

test("what is delivered arrives, and a second time nothing is sent", async (t) => {
  const { sandbox, sync } = await setUp(t);
  const rows = ndjson([customer(1), order(1)]);

  const report = await sync.deliver(rows);
  assert.deepEqual(report.counts, { rows: 2, delivered: 2, skipped: 0, rejected: 0, dead_lettered: 0, pending: 0 });
  assert.equal(sandbox.inspect({ what: "profile", email: "shopper1@example.com" }).dataFields.firstName, "Mara");
  const [purchase] = sandbox.inspect({ what: "purchases" });
  assert.equal(purchase.total, 39.8);
  const sent = posts(sandbox).length;

  const again = await sync.deliver(rows);
  assert.deepEqual(again.counts, { rows: 2, delivered: 0, skipped: 2, rejected: 0, dead_lettered: 0, pending: 0 });
  assert.deepEqual(again.skipped_by_reason, { duplicate: 1, unchanged: 1 });
  assert.equal(posts(sandbox).length, sent);

  assert.deepEqual((await sync.runs()).map(({ run }) => run), [again.run, report.run]);
});

test("a plan says what would be sent, and sends and remembers nothing", async (t) => {
  const { sandbox, sync } = await setUp(t);
  const plan = await sync.plan(orderCreated(1));
  // The customer was never heard of, so their address goes in front.
  assert.deepEqual(plan.requests.map(({ endpoint }) => endpoint), ["users.bulkUpdate", "commerce.trackPurchase"]);
  assert.equal(sandbox.exchanges().length, 0);
  assert.equal((await sync.deliver(orderCreated(1))).counts.delivered, 1);
});

test("an object, a text and bytes deliver the same", async (t) => {
  const { sandbox, sync } = await setUp(t);
  assert.equal((await sync.deliver(orderCreated(1))).counts.delivered, 1);
  assert.deepEqual((await sync.deliver(JSON.stringify(orderCreated(1)))).skipped_by_reason, { duplicate: 1 });
  assert.deepEqual((await sync.deliver(Buffer.from(JSON.stringify(orderCreated(1))))).skipped_by_reason, { duplicate: 1 });
  assert.equal(sandbox.inspect({ what: "purchases" }).length, 1);
});

test("what is accepted is answered at once and delivered in the background", async (t) => {
  const { sandbox, sync } = await setUp(t);
  sandbox.fault({ match: { path: "/api/commerce" }, fault: { kind: "latency", delay_ms: 300 }, times: 100 });
  const started = performance.now();
  const receipt = await sync.accept(orderCreated(1));
  const took = performance.now() - started;
  assert.equal(receipt.accepted, 2, "the purchase, and the address of a customer nothing was heard of");
  assert.ok(took < 150, `the answer took ${took.toFixed(1)} ms, and the destination 300`);
  assert.equal((await sync.flush()).waiting, 0);
  assert.equal(sandbox.inspect({ what: "purchases" }).length, 1);
  assert.equal((await sync.accept(orderCreated(1))).accepted, 0);
});

test("a signal is told once, and a bad one is data", async (t) => {
  const { sandbox, sync } = await setUp(t);
  // The platform takes events of people it knows.
  await sync.deliver(orderCreated(1));
  const seen = { event: "product_viewed", id: "view-1", customer_id: orderCreated(1).order.customerId, product_id: "p1" };
  assert.equal((await sync.track(seen)).accepted, 1);
  assert.equal((await sync.track([seen])).skipped[0].reason, "duplicate");
  const { rejected } = await sync.track({ ...seen, id: "view-2", prodct_id: "p1" });
  assert.equal(rejected[0].findings[0].pointer, "/prodct_id");
  assert.equal((await sync.flush()).waiting, 0);
  assert.deepEqual(sandbox.inspect({ what: "events" }).map((event) => event.name), ["productViewed"]);
});

test("a flush that is not given enough time says how much still waits", async (t) => {
  const { sandbox, sync } = await setUp(t);
  sandbox.fault({ match: { path: "/api" }, fault: { kind: "latency", delay_ms: 2000 } });
  await sync.accept(orderCreated(1));
  assert.equal((await sync.flush({ timeout_s: 0.05 })).waiting, 2);
});

test("a refused record is a dead letter; corrected, it is replayed under its own key", async (t) => {
  const { sandbox, sync } = await setUp(t);
  sandbox.fault({ match: { path: "/api/users" }, fault: { kind: "status", status: 400 } });
  const report = await sync.deliver(customer(1));
  assert.equal(report.counts.dead_lettered, 1);

  const [letter] = await sync.deadLetters({ code: "rejected" });
  assert.equal(letter.status, 400);
  assert.deepEqual(report.dead_letters, [letter.id]);
  assert.equal((await sync.deadLetters({ code: "unauthorized" })).length, 0);

  letter.record.body.first_name = "Corrected";
  const replayed = await sync.replay({ ids: [letter.id] }, { fixes: [{ id: letter.id, record: letter.record }] });
  assert.equal(replayed.counts.delivered, 1);
  assert.equal(sandbox.inspect({ what: "profile", email: "shopper1@example.com" }).dataFields.firstName, "Corrected");
  assert.equal((await sync.deadLetters()).length, 0);
});

test("dead letters are discarded only when told which", async (t) => {
  const { sandbox, sync } = await setUp(t);
  sandbox.fault({ match: { path: "/api/users" }, fault: { kind: "status", status: 400 }, times: 2 });
  await sync.deliver(customer(1));
  await sync.deliver(customer(2));
  await assert.rejects(sync.discard(), { code: "invalid_config" });
  const [first] = await sync.deadLetters();
  assert.equal(await sync.discard({ ids: [first.id] }), 1);
  assert.equal(await sync.discard({}), 1);
  assert.equal(await sync.discard({}), 0);
});

test("a malformed row is rejected with its place, and its neighbours are delivered", async (t) => {
  const { sync } = await setUp(t);
  const rows = Buffer.concat([ndjson([customer(1)]), Buffer.from("{ this is no JSON\n"), ndjson([customer(2)])]);
  const report = await sync.deliver(rows);
  assert.equal(report.counts.delivered, 2);
  assert.deepEqual(report.rejected.map(({ position }) => position), [1]);
});

test("a stream is one run, whatever it comes from", async (t) => {
  const { sandbox, sync } = await setUp(t);
  const folder = mkdtempSync(join(tmpdir(), "cartwire-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const file = join(folder, "customers.ndjson");
  writeFileSync(file, ndjson(Array.from({ length: 300 }, (_, number) => customer(number))));

  const seen = [];
  const report = await sync.deliverStream(file, { chunk_bytes: 8 << 10, onProgress: (progress) => seen.push(progress) });
  assert.equal(report.counts.delivered, 300);
  assert.equal(sandbox.inspect({ what: "counts" }).profiles, 300);
  assert.ok(seen.length > 5);
  assert.ok(seen.every(({ run }) => run === report.run));
  assert.ok(seen.every(({ counts }, index) => index === 0 || counts.rows > seen[index - 1].counts.rows));
  assert.deepEqual(sync.progress(), []);

  async function* pages() {
    yield { limit: 2, offset: 0, count: 2, results: [customer(1000), customer(1001)] };
    yield JSON.stringify(customer(1002), null, 2);
    yield Buffer.from(JSON.stringify(customer(1003)));
  }
  assert.equal((await sync.deliverStream(pages())).counts.delivered, 4);
  assert.equal((await sync.deliverStream([customer(1004)])).counts.delivered, 1);
  const bytes = Readable.from([ndjson([customer(1005)]).subarray(0, 20), ndjson([customer(1005)]).subarray(20)], { objectMode: false });
  assert.equal((await sync.deliverStream(bytes)).counts.delivered, 1);
});

test("positions run on over the pieces of a stream", async (t) => {
  const { sync } = await setUp(t);
  const rows = [customer(1), customer(2), { no: "customer" }, customer(4), { no: "customer" }];
  const report = await sync.deliverStream(rows, { chunk_bytes: 1 });
  assert.deepEqual(report.rejected.map(({ position }) => position), [2, 4]);
});

test("an error in the source of a stream ends the run and reaches the caller", async (t) => {
  const { sandbox, sync } = await setUp(t);
  async function* failing() {
    yield customer(1);
    throw new RangeError("the shop is gone");
  }
  await assert.rejects(sync.deliverStream(failing(), { chunk_bytes: 1 }), { name: "RangeError", message: "the shop is gone" });
  assert.equal(sandbox.inspect({ what: "counts" }).profiles, 1);
  assert.deepEqual(sync.progress(), []);
});

test("a large delivery leaves the event loop alone", async (t) => {
  const { sync } = await setUp(t);
  const rows = ndjson(Array.from({ length: 5000 }, (_, number) => customer(number)));
  const delay = monitorEventLoopDelay({ resolution: 5 });
  delay.enable();
  const started = performance.now();
  const report = await sync.deliver(rows);
  const took = performance.now() - started;
  delay.disable();
  assert.equal(report.counts.delivered, 5000);
  // On a busy machine any thread waits for its turn; a blocked loop would stand still for nearly the whole delivery.
  const [worst, usual] = [delay.max / 1e6, delay.percentile(50) / 1e6];
  const lag = `${usual.toFixed(1)} ms usually and ${worst.toFixed(1)} ms at worst, in a delivery of ${took.toFixed(1)} ms`;
  t.diagnostic(`the event loop was late by ${lag}`);
  assert.ok(worst < took / 2 && usual < 50, lag);
});

test("a signal gives a call up, and what was accepted is delivered all the same", async (t) => {
  const { sandbox, sync } = await setUp(t);
  sandbox.fault({ match: { path: "/api/commerce" }, fault: { kind: "latency", delay_ms: 500 } });
  const controller = new AbortController();
  const delivery = sync.deliver(orderCreated(1), { signal: controller.signal });
  setTimeout(() => controller.abort(new Error("enough")), 50);
  const started = performance.now();
  await assert.rejects(delivery, (error) => {
    assert.ok(error instanceof LifecycleError);
    assert.equal(error.code, "cancelled");
    assert.equal(error.cause.message, "enough");
    return true;
  });
  assert.ok(performance.now() - started < 400, "the call was given up before its answer came");
  assert.equal((await sync.flush()).waiting, 0);
  assert.equal(sandbox.inspect({ what: "purchases" }).length, 1);
  assert.deepEqual(sync.progress(), []);
});

test("a signal that fired before the call, and one that fires after it", async (t) => {
  const { sandbox, sync } = await setUp(t);
  await assert.rejects(sync.deliver(orderCreated(1), { signal: AbortSignal.abort() }), { code: "cancelled" });
  assert.equal(sandbox.exchanges().length, 0);
  const controller = new AbortController();
  assert.equal((await sync.deliver(orderCreated(1), { signal: controller.signal })).counts.delivered, 1);
  controller.abort();
});

test("a signal ends a stream that hangs", async (t) => {
  const { sync } = await setUp(t);
  async function* hanging() {
    yield customer(1);
    await new Promise(() => {});
  }
  const controller = new AbortController();
  setTimeout(() => controller.abort(), 50);
  await assert.rejects(sync.deliverStream(hanging(), { signal: controller.signal }), { code: "cancelled" });
});

test("a buffer may be changed as soon as the call was made", async (t) => {
  const { sandbox, sync } = await setUp(t);
  const data = Buffer.from(JSON.stringify(customer(1)));
  const delivery = sync.deliver(data);
  data.fill(0);
  assert.equal((await delivery).counts.delivered, 1);
  assert.equal(sandbox.inspect({ what: "counts" }).profiles, 1);
});

test("closing twice is fine, and use after it is refused", async (t) => {
  const { sync } = await setUp(t);
  await sync.close();
  await sync.close();
  for (const use of [() => sync.deliver("{}"), () => sync.accept("{}"), () => sync.plan("{}"), () => sync.flush(), () => sync.deadLetters(), () => sync.runs(), () => sync.check(), () => sync.reconcile("{}")]) {
    await assert.rejects(use, { name: "LifecycleError", code: "closed" });
  }
});

test("a Sync and a Sandbox can be disposed of", { skip: !Symbol.asyncDispose }, async () => {
  const sandbox = await Sandbox.start();
  const sync = await Sync.open({ destination: destinationOf(sandbox) });
  await sync[Symbol.asyncDispose]();
  await assert.rejects(sync.check(), { code: "closed" });
  await sandbox[Symbol.asyncDispose]();
});

test("what waits when a Sync is closed goes out when the state is opened again", async (t) => {
  const folder = mkdtempSync(join(tmpdir(), "cartwire-"));
  t.after(() => rmSync(folder, { recursive: true }));
  const { sandbox, sync, settings } = await setUp(t, { state: `sqlite:${join(folder, "state.db")}` });
  sandbox.fault({ match: { path: "/api/commerce" }, fault: { kind: "status", status: 503 }, times: 1000 });
  await sync.accept(orderCreated(1));
  await sync.close();
  sandbox.clearFaults();
  assert.equal(sandbox.inspect({ what: "purchases" }).length, 0);
  const again = await Sync.open({ ...settings, now: "2026-02-01T12:10:00Z" });
  t.after(() => again.close());
  assert.equal((await again.flush()).waiting, 0);
  assert.equal(sandbox.inspect({ what: "purchases" }).length, 1);
  assert.equal((await again.accept(orderCreated(1))).accepted, 0);
});

test("wrong settings are refused with their place", async () => {
  const destination = { type: "iterable", project_type: "hybrid" };
  await assert.rejects(Sync.open({ destination, sorce: "commercetools" }), { name: "ConfigError", code: "invalid_config" });
  await assert.rejects(Sync.open({ destination, state: "punchcards:deck" }), { name: "ConfigError" });
  await assert.rejects(Sync.open(), { name: "ConfigError" });
  assert.throws(() => new Sync(), { name: "ConfigError" });
  assert.throws(() => new Sandbox(), { name: "ConfigError" });
});

test("wrong credentials are told by check, and stop a delivery without losing what was accepted", async (t) => {
  const { sandbox, sync } = await setUp(t, { sandbox: { iterable: { api_key: "another-key" } } });
  const check = await sync.check();
  assert.equal(check.ok, false);
  assert.equal(check.status, 401);
  const report = await sync.deliver(customer(1));
  assert.equal(report.counts.delivered, 0);
  assert.equal(report.counts.pending + report.counts.dead_lettered, 1);
  assert.equal(sandbox.inspect({ what: "counts" }).profiles, 0);
});

test("reconcile tells what is there, what differs and what is missing, and writes nothing", async (t) => {
  const { sandbox, sync } = await setUp(t);
  await sync.deliver(ndjson([customer(1), order(1)]));
  const before = sandbox.inspect({ what: "digest" });
  const renamed = customer(1, { version: 2, lastName: "Other" });

  const answer = await sync.reconcile(ndjson([customer(1), renamed, order(1), order(2)]));
  assert.deepEqual(sandbox.inspect({ what: "digest" }), before);
  assert.deepEqual(answer.records.map(({ status }) => status), ["equal", "differs", "equal", "missing"]);
  const profile = answer.records[1].checks.find(({ status }) => status === "differs");
  assert.deepEqual([profile.reason, profile.fields], ["never_sent", ["/dataFields/lastName"]]);
  assert.equal(answer.ok, false);
  assert.equal(answer.by_reason.never_sent, 2);
  assert.equal(JSON.stringify(answer).includes("@example.com"), false);

  await assert.rejects(sync.reconcile("{}", { destination: "nobody" }), { name: "ConfigError", path: "/destination" });
});

test("the logger hears of dead letters, without personal data", async (t) => {
  const { sandbox, sync } = await setUp(t);
  const events = [];
  setLogger((event) => events.push(event), { level: "debug" });
  t.after(() => setLogger(null));
  sandbox.fault({ match: { path: "/api/users" }, fault: { kind: "status", status: 400 } });
  await sync.deliver(customer(1));
  await until(() => events.some(({ message }) => message === "dead letter"), "the dead letter is logged");
  const event = events.find(({ message }) => message === "dead letter");
  assert.equal(event.level, "warn");
  assert.match(event.target, /^cartwire::/);
  assert.equal(event.fields.endpoint, "users.bulkUpdate");
  assert.ok(Math.abs(event.time - Date.now()) < 60_000);
  assert.doesNotMatch(JSON.stringify(events), /shopper1|Mara|sandbox-key/);

  setLogger(null);
  const heard = events.length;
  sandbox.fault({ match: { path: "/api/users" }, fault: { kind: "status", status: 400 } });
  await sync.deliver(customer(2));
  await sleep(50);
  assert.equal(events.length, heard);
});

test("a logger that throws does not end the process", async (t) => {
  const { sandbox, sync } = await setUp(t);
  const warnings = [];
  const warned = (warning) => warnings.push(warning.message);
  process.on("warning", warned);
  t.after(() => process.off("warning", warned));
  setLogger(() => {
    throw new Error("no disk");
  });
  t.after(() => setLogger(null));
  sandbox.fault({ match: { path: "/api/users" }, fault: { kind: "status", status: 400 } });
  await sync.deliver(customer(1));
  await until(() => warnings.some((message) => message.includes("no disk")), "the warning");
});

test("the sandbox answers what it holds, and refuses what it does not understand", async (t) => {
  const { sandbox, sync } = await setUp(t);
  assert.match(sandbox.url("iterable"), /^http:\/\/127\.0\.0\.1:\d+$/);
  assert.equal(sandbox.url("nowhere"), undefined);
  await sync.deliver(customer(1));
  assert.equal(sandbox.exchanges().length, 1);
  sandbox.reset();
  assert.equal(sandbox.exchanges().length, 0);
  assert.throws(() => sandbox.inspect({ what: "the weather" }), { name: "InputError", code: "invalid_input" });
  assert.throws(() => sandbox.fault({ fault: { kind: "earthquake" } }), { name: "InputError" });
  const told = sandbox.change({ vendor: "bigcommerce", resource: "order", id: 100, do: "ship" });
  const scopes = told.webhooks.map((hook) => JSON.parse(hook.body).scope);
  assert.deepEqual(scopes, ["store/shipment/created", "store/order/updated", "store/order/statusUpdated"]);
  assert.throws(() => sandbox.change({ vendor: "bigcommerce", resource: "order", id: 100, do: "ship" }), { name: "InputError" });
  await assert.rejects(Sandbox.start({ prot: 1 }), { name: "ConfigError" });
});
