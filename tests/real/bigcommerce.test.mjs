// Pulling from a server that nobody here wrote: Stoplight's Prism, which serves the vendor's own OpenAPI documents, refuses
// every request that they do not describe, and answers with their examples.
//
//   npm ci && node --test        (in this folder, with the addon built)
//
// The documents stand beside this repository in `../shared`; where they are absent this says so and tests nothing.

import assert from "node:assert/strict";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { createServer } from "node:http";
import { after, before, test } from "node:test";

import prismHttp from "@stoplight/prism-http";
import prismServer from "@stoplight/prism-http-server";
import yaml from "@stoplight/yaml";

import cartwire from "../../bindings-node/lib/index.js";

const { Sandbox, Sync } = cartwire;

const DOCUMENTS = new URL("../../../shared/contracts/bigcommerce/", import.meta.url);
const skip = existsSync(DOCUMENTS) ? false : "`../shared` with the vendor's documents is absent; nothing was tested";

/** What the documents demand against their own words, so that no client could do right. */
const MENDED = {
  // A list is not asked for one id; the text beside it says that this is a filter.
  "subscribers.v3.yml": ({ components }) => {
    components.parameters.IdParam.required = false;
  },
  // `:in` takes several ids, as everywhere; here their type is that of one.
  "inventory.v3.yml": ({ components }) => {
    for (const parameter of Object.values(components.parameters).filter(({ name }) => name.endsWith(":in"))) {
      Object.assign(parameter, { schema: { type: "array", items: parameter.schema }, style: "form", explode: false });
    }
  },
};

const BEHIND = /[?&](page=([2-9]|\d\d)|after=|min_id=|id:greater=)/;

const quiet = Object.fromEntries(["trace", "debug", "info", "warn", "error", "fatal", "success"].map((level) => [level, () => {}]));
quiet.child = () => quiet;

let generations;
let front;
let address;
const asked = [];

/** All documents of one generation of the API behind one address. */
async function prism(generation) {
  const operations = [];
  for (const name of readdirSync(DOCUMENTS).filter((name) => name.includes(`.${generation}.`))) {
    const document = yaml.parse(readFileSync(new URL(name, DOCUMENTS), "utf8"));
    MENDED[name]?.(document);
    operations.push(...(await prismHttp.getHttpOperationsFromSpec(document)));
  }
  const mock = { dynamic: false };
  const config = { validateRequest: true, validateResponse: false, checkSecurity: true, errors: false, isProxy: false, mock };
  const server = prismServer.createServer(operations, { components: { logger: quiet }, config, cors: false });
  return { server, address: await server.listen(0, "127.0.0.1") };
}

before(async () => {
  if (skip) return;
  generations = { v2: await prism("v2"), v3: await prism("v3") };
  // Prism knows the paths behind `/stores/{store_hash}/v3`.
  front = createServer(async (request, reply) => {
    const [, store, generation, path] = request.url.match(/^\/stores\/([^/]+)\/(v[23])(\/.*)$/) ?? [];
    const answer = path && (await fetch(generations[generation].address + path, { headers: { ...request.headers, connection: "close" } }));
    let body = path ? await answer.text() : "";
    let status = path ? answer.status : 404;
    // The examples are the same whatever page is asked for, and would be read for ever: behind the first there is nothing.
    if (status === 200 && BEHIND.test(path)) [status, body] = generation === "v2" ? [204, ""] : [200, '{"data": [], "meta": {}}'];
    asked.push({ path: path && `${generation}${path}`, store, status, violations: answer?.headers.get("sl-violations"), body });
    reply.writeHead(status, { "content-type": "application/json" });
    reply.end(status === 204 ? undefined : body);
  });
  await new Promise((done) => front.listen(0, "127.0.0.1", done));
  address = `http://127.0.0.1:${front.address().port}`;
});

after(async () => {
  front?.close();
  for (const { server } of Object.values(generations ?? {})) await server.close();
});

async function scene(t, pull = {}) {
  const sandbox = await Sandbox.start({ iterable: { api_key: "sandbox-key", project_type: "hybrid", rate_limits: false } });
  const sync = await Sync.open({
    source: {
      type: "bigcommerce",
      store: "abc123",
      currency: "USD",
      consents: [{ channel: "sms", on: "metafield", field: "consent.sms" }],
      order_fields: [{ field: "erp.number" }],
      webhooks: { token: "ours" },
      pull: { api_url: address, access_token: "token", price_lists: true, inventory: true, ...pull },
    },
    destination: { type: "iterable", api_key: "sandbox-key", project_type: "hybrid", base_url: sandbox.url("iterable") },
    rate_limits: false,
  });
  asked.length = 0;
  t.after(async () => {
    await sync.close();
    await sandbox.stop();
  });
  return sync;
}

/** Every request was one that the documents describe. */
function taken() {
  assert.ok(asked.length > 0);
  for (const { path, store, status, violations, body } of asked) {
    assert.equal(store, "abc123");
    assert.ok(status >= 200 && status < 300, `${path} was answered with ${status}: ${body.slice(0, 500)} ${violations ?? ""}`);
    assert.doesNotMatch(violations ?? "", /"request"/, path);
  }
  return asked.map(({ path }) => path.split("?")[0]);
}

const STREAMS = {
  categories: ["v3/catalog/trees/categories"],
  products: ["v3/catalog/products", "v3/inventory/items", "v3/pricelists", "v3/pricelists/assignments"],
  customers: ["v3/customers"],
  customer_attributes: ["v3/customers/attribute-values", "v3/customers"],
  subscribers: ["v3/customers/subscribers"],
  orders: ["v2/orders"],
  refunds: ["v3/orders/payment_actions/refunds"],
  price_records: ["v3/pricelists"],
  inventory: ["v3/inventory/items", "v3/catalog/products"],
  wishlists: ["v3/wishlists"],
};

for (const [stream, paths] of Object.entries(STREAMS)) {
  test(`the stream ${stream} asks what the documents describe, and their example is read`, { skip }, async (t) => {
    const sync = await scene(t);
    const report = await sync.pull({ streams: [stream], since: "2026-11-01T00:00:00Z", mode: "live" });
    const seen = taken();
    assert.equal(report.streams[stream].stopped ?? null, null, JSON.stringify(report.streams[stream]));
    for (const path of paths) assert.ok(seen.includes(path), `${path} is not among ${seen}`);
    assert.equal(report.streams[stream].complete, true);
    assert.equal(report.retries, 0);
    assert.ok(report.streams[stream].rows > 0, JSON.stringify(report));
    for (const rejection of report.run.rejected) assert.match(rejection.findings[0].code, /^[a-z]+\.[a-z_]+$/);
    t.diagnostic(`${seen.length} requests, ${report.run.counts.rows} records, ${report.run.counts.rejected} rejected`);
  });
}

const HOOKS = [
  ["store/order/created", { type: "order", id: 118 }, "v2/orders/118"],
  ["store/customer/updated", { type: "customer", id: 7 }, "v3/customers"],
  ["store/subscriber/created", { type: "subscriber", id: 3 }, "v3/customers/subscribers/3"],
  ["store/cart/updated", { type: "cart", id: "09346904-4175-44fd-be53-f7e598531b6c" }, "v3/carts/09346904-4175-44fd-be53-f7e598531b6c"],
  ["store/cart/abandoned", { type: "cart", id: "19346904-4175-44fd-be53-f7e598531b6c", token: "t" }, "v3/carts/19346904-4175-44fd-be53-f7e598531b6c"],
  ["store/product/updated", { type: "product", id: 77 }, "v3/catalog/products/77"],
  ["store/priceList/record/updated", { type: "price_list", price_list_id: 1, variant_id: 9, currency: "usd" }, "v3/catalog/variants"],
  ["store/category/updated", { type: "category", id: 5 }, "v3/catalog/trees/categories"],
  ["store/channel/1/categoryTree/updated", { type: "category_tree", tree_id: 1 }, "v3/catalog/trees/categories"],
];

async function hear(sync, [scope, data]) {
  const created_at = Math.floor(Date.now() / 1000);
  const hook = { scope, store_id: "1025646", producer: "stores/abc123", hash: scope, created_at, data };
  return sync.receive(hook, { "x-webhook-token": "ours" });
}

for (const hook of HOOKS) {
  test(`what ${hook[0]} names is asked for as the documents describe`, { skip }, async (t) => {
    const sync = await scene(t);
    assert.equal((await hear(sync, hook)).fetching, 1);
    await sync.flush({ timeout_s: 30 });
    const seen = taken();
    assert.ok(seen.includes(hook[2]), `${hook[2]} is not among ${seen}`);
  });
}

test("a cart is asked for as its checkout where that is set", { skip }, async (t) => {
  const sync = await scene(t, { checkouts: true });
  await hear(sync, HOOKS[3]);
  await sync.flush({ timeout_s: 30 });
  assert.deepEqual(taken(), ["v3/checkouts/09346904-4175-44fd-be53-f7e598531b6c"]);
});

test("the documents' server refuses what they do not describe", { skip }, async () => {
  const headers = { "x-auth-token": "token", accept: "application/json" };
  const status = async (path, given = headers) => (await fetch(`${address}/stores/abc123/${path}`, { headers: given })).status;
  assert.equal(await status("v3/invoices"), 404);
  assert.equal(await status("v3/customers?page=first"), 422);
  assert.equal(await status("v2/orders", { accept: "application/json" }), 401);
});
