// Pulling from a server that nobody here wrote: `@labdigital/commercetools-mock`, with the predicates, the sorting and the
// credentials it implements.
//
//   npm ci && node --test        (in this folder, with the addon built)

import assert from "node:assert/strict";
import { after, before, test } from "node:test";

import { CommercetoolsMock } from "@labdigital/commercetools-mock";

import cartwire from "../../bindings-node/lib/index.js";

const { Sandbox, Sync } = cartwire;

const ORDERS = 450;
const CUSTOMERS = 530;
const PRODUCTS = 30;

let mock;
let address;

/** The sandbox's made-up shop, so that orders add up. In the order of ids, because the mock's lists ignore `sort`. */
function sample(resource, count) {
  const lines = Sandbox.sample({ resource, count, customers: CUSTOMERS, ballast: 0 });
  const rows = Buffer.from(lines).toString().trim().split("\n").map((line) => JSON.parse(line));
  return rows.sort((a, b) => (a.id < b.id ? -1 : 1));
}

/** The platform keeps products with what is published and what is staged; it projects them when they are read. */
function product({ id, version, createdAt, lastModifiedAt, key, productType, priceMode, published, hasStagedChanges, ...content }) {
  const data = { ...content, attributes: [], categoryOrderHints: {}, searchKeywords: {} };
  const masterData = { current: data, staged: data, published, hasStagedChanges };
  return { id, version, createdAt, lastModifiedAt, key, productType, priceMode, masterData };
}

before(async () => {
  mock = new CommercetoolsMock({
    apiHost: "https://api.example",
    authHost: "https://auth.example",
    enableAuthentication: true,
    validateCredentials: true,
    defaultProjectKey: "demo",
    silent: true,
  });
  const project = mock.project("demo");
  for (const category of sample("category", 10)) await project.unsafeAdd("category", category);
  // What is expanded has to be there: the platform leaves out what is not, the mock refuses.
  const [{ productType }] = sample("product", 1);
  const times = { createdAt: "2025-01-01T09:00:00.000Z", lastModifiedAt: "2025-01-01T09:00:00.000Z" };
  const type = { id: productType.id, version: 1, ...times, key: "outdoor", name: "Outdoor", description: "", attributes: [] };
  await project.unsafeAdd("product-type", type);
  for (const one of sample("product", PRODUCTS)) await project.unsafeAdd("product", product(one));
  for (const customer of sample("customer", CUSTOMERS)) await project.unsafeAdd("customer", customer);
  for (const order of sample("order", ORDERS)) await project.unsafeAdd("order", order);
  address = await mock.app.listen({ host: "127.0.0.1", port: 0 });
});

after(async () => {
  await mock.app.close();
});

async function scene(t) {
  const sandbox = await Sandbox.start({
    iterable: { api_key: "sandbox-key", project_type: "hybrid", rate_limits: false, catalogs: ["products", "categories"] },
  });
  const sync = await Sync.open({
    source: {
      type: "commercetools",
      project: "demo",
      locale: "en",
      currency: "EUR",
      country: "DE",
      pull: { api_url: address, auth_url: address, client_id: "client", client_secret: "secret", scopes: ["view_orders:demo"] },
    },
    destination: {
      type: "iterable",
      api_key: "sandbox-key",
      project_type: "hybrid",
      base_url: sandbox.url("iterable"),
      catalogs: { products: "products", categories: "categories" },
      // The made-up orders are months old: read live, they are history all the same.
      backfill_purchases: "send",
    },
    rate_limits: false,
  });
  t.after(async () => {
    await sync.close();
    await sandbox.stop();
  });
  return { sandbox, sync };
}

test("every stream is read to its end, page by page, and each row arrives once", async (t) => {
  const { sandbox, sync } = await scene(t);
  const report = await sync.pull({ streams: ["categories", "products", "customers", "orders", "payments", "carts"], mode: "live" });
  const rows = Object.fromEntries(Object.entries(report.streams).map(([name, stream]) => [name, stream.rows]));
  assert.deepEqual(rows, { categories: 10, products: PRODUCTS, customers: CUSTOMERS, orders: ORDERS, payments: 0, carts: 0 });
  assert.ok(Object.values(report.streams).every((stream) => stream.complete));
  assert.deepEqual([report.streams.customers.pages, report.streams.orders.pages], [2, 3]);
  assert.equal(report.run.counts.rejected, 0);
  assert.equal(report.retries, 0);
  const purchases = sandbox.inspect({ vendor: "iterable", what: "purchases" });
  assert.equal(purchases.length, ORDERS);
  assert.equal(new Set(purchases.map((purchase) => purchase.id)).size, ORDERS);
});

test("what changes afterwards is what the next pull reads", async (t) => {
  const { sync } = await scene(t);
  await sync.pull({ streams: ["customers"] });
  const [customer] = sample("customer", 1);
  const token = await fetch(`${address}/oauth/token`, {
    method: "POST",
    headers: { authorization: `Basic ${Buffer.from("client:secret").toString("base64")}`, "content-type": "application/x-www-form-urlencoded" },
    body: "grant_type=client_credentials&scope=manage_customers:demo",
  }).then((reply) => reply.json());
  const changed = await fetch(`${address}/demo/customers/${customer.id}`, {
    method: "POST",
    headers: { authorization: `Bearer ${token.access_token}`, "content-type": "application/json" },
    body: JSON.stringify({ version: customer.version, actions: [{ action: "setFirstName", firstName: "Changed" }] }),
  });
  assert.equal(changed.status, 200, await changed.text());
  const report = await sync.pull({ streams: ["customers"] });
  assert.equal(report.streams.customers.rows, 1);
  assert.equal(report.run.counts.delivered, 1);
});

test("what a message only names is read by its id", async (t) => {
  const { sandbox, sync } = await scene(t);
  const [order] = sample("order", 1);
  const resource = { typeId: "order", id: order.id };
  const message = { notificationType: "ResourceUpdated", projectKey: "demo", resource, version: 7, modifiedAt: "2026-11-21T10:00:00.000Z" };
  assert.equal((await sync.receive(message)).fetching, 1);
  const gone = { ...message, resource: { typeId: "order", id: "00000000-0000-4000-8000-000000000000" } };
  assert.equal((await sync.receive(gone)).fetching, 1);
  await sync.flush({ timeout_s: 20 });
  assert.equal(sandbox.inspect({ vendor: "iterable", what: "purchases" }).length, 1);
});
