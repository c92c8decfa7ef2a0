// Pulling and receiving from Node: thin, told how it goes, given up by a signal.

import assert from "node:assert/strict";
import { test } from "node:test";

import { ConfigError, DestinationError, LifecycleError, Sandbox, Sync } from "cartwire";

const SHOP = { orders: 900, customers: 40, payments: 0, ballast: 0 };

async function scene(work, pull = {}) {
  const sandbox = await Sandbox.start({
    commercetools: SHOP,
    iterable: { api_key: "sandbox-key", project_type: "hybrid", rate_limits: false },
  });
  const shop = sandbox.url("commercetools");
  const sync = await Sync.open({
    source: {
      type: "commercetools",
      project: "demo",
      pull: { api_url: shop, auth_url: shop, client_id: "sandbox-client", client_secret: "sandbox-secret", ...pull },
    },
    destination: { type: "iterable", api_key: "sandbox-key", project_type: "hybrid", base_url: sandbox.url("iterable") },
    rate_limits: false,
    // The orders of the made-up shop are months old, and are to be sent all the same.
    events: { news_days: 3650 },
  });
  try {
    await work(sync, sandbox);
  } finally {
    await sync.close();
    await sandbox.stop();
  }
}

const purchases = (sandbox) => sandbox.inspect({ vendor: "iterable", what: "purchases" }).length;

test("a pull delivers what the shop has and the next one only what changed", async () => {
  await scene(async (sync, sandbox) => {
    const report = await sync.pull({ streams: ["orders"], mode: "live" });
    assert.equal(report.streams.orders.rows, 900);
    assert.equal(report.run.counts.delivered, 900);
    assert.equal(purchases(sandbox), 900);
    assert.equal((await sync.pull({ streams: ["orders"] })).streams.orders.rows, 0);
  });
});

test("progress is told while it goes on", async () => {
  await scene(async (sync) => {
    const told = [];
    const report = await sync.pull({ streams: ["orders"], mode: "live", onProgress: ({ counts }) => told.push(counts.rows) });
    assert.equal(report.run.counts.rows, 900);
    assert.equal(told.at(-1), 900);
    assert.deepEqual(told, [...told].sort((a, b) => a - b));
  });
});

test("a pull that is given up goes on where it was", async () => {
  await scene(async (sync, sandbox) => {
    sandbox.fault({ match: { vendor: "commercetools", path: "/demo" }, fault: { kind: "latency", delay_ms: 150 }, probability: 1 });
    const given = new AbortController();
    const pull = sync.pull({ streams: ["orders"], mode: "live", signal: given.signal });
    setTimeout(() => given.abort(new Error("enough")), 400);
    await assert.rejects(pull, (error) => error instanceof LifecycleError && error.code === "cancelled");
    const rest = await sync.pull({ streams: ["orders"], mode: "live" });
    assert.equal(rest.streams.orders.complete, true);
    assert.equal(purchases(sandbox), 900);
  });
});

test("a message that only names an order brings it, with headers in any form", async () => {
  await scene(async (sync, sandbox) => {
    const ids = sandbox.inspect({ vendor: "commercetools", what: "rows", resource: "orders" }).map((row) => row.id);
    const changed = (id) => ({
      notificationType: "ResourceUpdated",
      projectKey: "demo",
      resource: { typeId: "order", id },
      version: 7,
      oldVersion: 6,
      modifiedAt: "2026-11-21T10:00:00.000Z",
    });
    const plain = { "x-correlation-id": "demo/1", "set-cookie": ["a", "b"], missing: undefined };
    for (const [at, headers] of [plain, new Headers({ "X-Correlation-ID": "demo/2" }), undefined].entries()) {
      const received = await sync.receive(changed(ids[at]), headers);
      assert.equal(received.fetching, 1);
    }
    await sync.flush({ timeout_s: 20 });
    assert.equal(purchases(sandbox), 3);
  });
});

test("what cannot be is an error of its class", async () => {
  await scene(async (sync) => {
    await assert.rejects(sync.pull({ streams: ["invoices"] }), (error) => error instanceof ConfigError && error.path === "/streams/0");
  });
  await scene(
    async (sync) => {
      await assert.rejects(sync.pull(), (error) => error instanceof DestinationError && error.code === "unauthorized");
    },
    { client_secret: "wrong" },
  );
});
