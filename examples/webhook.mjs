// A webhook endpoint: what it is sent is safe within milliseconds, and delivered in the background.
//
//   node examples/webhook.mjs
//
// Runs by itself: it starts the endpoint and a sandbox on this machine, sends itself three messages and one of them twice,
// as queues do, prints what happened and exits.

import { createServer } from "node:http";
import { once } from "node:events";

import { Sandbox, Sync } from "cartwire";

const sandbox = await Sandbox.start();
const sync = await Sync.open({
  source: { type: "commercetools", project: "teaware" },
  destination: { type: "iterable", project_type: "hybrid", api_key: "sandbox-key", base_url: sandbox.url("iterable") },
  state: "memory:", // `sqlite:cartwire.db` survives a restart
});

// The endpoint. 202 means: it is ours from now on. Anything else makes the sender try again, which is harmless: the same
// message is the same record, however often it comes.
const server = createServer(async (request, response) => {
  const began = performance.now();
  const answer = (status, body) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
  try {
    const chunks = await request.toArray();
    const receipt = await sync.accept(Buffer.concat(chunks));
    answer(202, { ...receipt, ms: Number((performance.now() - began).toFixed(2)) });
  } catch (error) {
    // The error's code names what is wrong; its message never holds the payload.
    answer(503, { code: error.code });
  }
});
await once(server.listen(0, "127.0.0.1"), "listening");
const url = `http://127.0.0.1:${server.address().port}/webhooks`;

// The messages.
const cents = (centAmount) => ({ type: "centPrecision", currencyCode: "EUR", centAmount, fractionDigits: 2 });

function orderCreated(number, email, sku, name, price, quantity) {
  const id = (kind) => `${kind}0000000-0000-4000-8000-00000000000${number}`;
  const at = "2026-01-31T09:00:00.000Z";
  const item = {
    id: id("1"),
    productId: id("2"),
    name: { en: name },
    variant: { id: 1, sku, prices: [], images: [], attributes: [] },
    price: { id: id("3"), value: cents(price) },
    quantity,
    totalPrice: cents(price * quantity),
    discountedPricePerQuantity: [],
    state: [],
    priceMode: "Platform",
    lineItemMode: "Standard",
  };
  const order = {
    id: id("4"),
    version: 1,
    createdAt: at,
    lastModifiedAt: at,
    orderNumber: `T-100${number}`,
    customerId: id("5"),
    customerEmail: email,
    country: "DE",
    locale: "en",
    totalPrice: cents(price * quantity),
    orderState: "Open",
    syncInfo: [],
    returnInfo: [],
    lineItems: [item],
    customLineItems: [],
    refusedGifts: [],
    origin: "Customer",
  };
  return {
    notificationType: "Message",
    projectKey: "teaware",
    id: id("6"),
    version: 1,
    sequenceNumber: 1,
    resource: { typeId: "order", id: order.id },
    resourceVersion: 1,
    createdAt: at,
    lastModifiedAt: at,
    type: "OrderCreated",
    order,
  };
}

const messages = [
  orderCreated(1, "mara@example.com", "POT-1", "Teapot", 4990, 1),
  orderCreated(2, "ilir@example.com", "CUP-1", "Cup", 1290, 4),
  orderCreated(3, "jun@example.com", "TEA-1", "Sencha", 895, 2),
  orderCreated(1, "mara@example.com", "POT-1", "Teapot", 4990, 1),
];

for (const message of messages) {
  const response = await fetch(url, { method: "POST", body: JSON.stringify(message) });
  const { accepted, skipped, ms } = await response.json();
  const outcome = accepted > 0 ? `accepted ${accepted}` : `skipped: ${skipped.map(({ reason }) => reason).join(", ")}`;
  console.log(`${message.order.orderNumber}  ${response.status}  ${outcome}  ${ms} ms`);
}

await sync.flush();
console.log("\nAt the destination:");
for (const { total, dataFields, shoppingCartItems } of sandbox.inspect({ what: "purchases" })) {
  const items = shoppingCartItems.map((item) => `${item.quantity} × ${item.name}`).join(", ");
  console.log(`${dataFields.orderNumber}  ${total.toFixed(2)} ${dataFields.currency}  ${items}`);
}

server.close();
server.closeAllConnections();
await sync.close();
await sandbox.stop();
