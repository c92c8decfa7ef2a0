// A made-up shop, and a sandbox with a `Sync` that delivers to it.

import { Sandbox, Sync } from "cartwire";

export const NOW = "2026-02-01T12:00:00Z";

const id = (kind, number) => `${kind}0000000-0000-4000-8000-${String(number).padStart(12, "0")}`;
const cents = (centAmount) => ({ type: "centPrecision", currencyCode: "EUR", centAmount, fractionDigits: 2 });

/** A customer as commercetools shows one. */
export function customer(number, changes = {}) {
  return {
    id: id("c", number),
    version: 1,
    createdAt: "2026-01-10T08:00:00.000Z",
    lastModifiedAt: "2026-01-10T08:00:00.000Z",
    email: `shopper${number}@example.com`,
    firstName: "Mara",
    lastName: `Nr ${number}`,
    addresses: [],
    shippingAddressIds: [],
    billingAddressIds: [],
    isEmailVerified: true,
    stores: [],
    authenticationMode: "Password",
    ...changes,
  };
}

/** An order as commercetools shows one: two of one thing. */
export function order(number, changes = {}) {
  return {
    type: "Order",
    id: id("d", number),
    version: 1,
    createdAt: "2026-01-31T09:00:00.000Z",
    lastModifiedAt: "2026-01-31T09:00:00.000Z",
    orderNumber: `A-${number}`,
    customerId: id("c", number),
    customerEmail: `shopper${number}@example.com`,
    country: "DE",
    locale: "de-DE",
    totalPrice: cents(3980),
    taxRoundingMode: "HalfEven",
    orderState: "Open",
    syncInfo: [],
    returnInfo: [],
    origin: "Customer",
    lineItems: [
      {
        id: id("e", number),
        productId: id("f", 1),
        name: { "de-DE": "Tasse" },
        variant: { id: 1, sku: "CUP-1", prices: [], images: [], attributes: [] },
        price: { id: id("a", 1), value: cents(1990) },
        quantity: 2,
        totalPrice: cents(3980),
        discountedPricePerQuantity: [],
        state: [],
        priceMode: "Platform",
        lineItemMode: "Standard",
      },
    ],
    customLineItems: [],
    refusedGifts: [],
    ...changes,
  };
}

/** The message that a subscription delivers when that order is placed. */
export function orderCreated(number) {
  return {
    notificationType: "Message",
    projectKey: "demo",
    id: id("b", number),
    version: 1,
    sequenceNumber: 1,
    resource: { typeId: "order", id: id("d", number) },
    resourceVersion: 1,
    createdAt: "2026-01-31T09:00:00.100Z",
    lastModifiedAt: "2026-01-31T09:00:00.100Z",
    type: "OrderCreated",
    order: order(number),
  };
}

export const ndjson = (rows) => Buffer.from(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));

/** A sandbox and a `Sync` that delivers to it; both end with the test. */
export async function setUp(t, { sandbox: sandboxOptions, ...options } = {}) {
  const sandbox = await Sandbox.start(sandboxOptions);
  const settings = {
    source: { type: "commercetools", project: "demo" },
    destination: destinationOf(sandbox),
    state: "memory:",
    rate_limits: false,
    now: NOW,
    ...options,
  };
  const sync = await Sync.open(settings);
  t.after(async () => {
    await sync.close();
    await sandbox.stop();
  });
  return { sandbox, sync, settings };
}

export const destinationOf = (sandbox) => ({
  type: "iterable",
  project_type: "hybrid",
  api_key: "sandbox-key",
  base_url: sandbox.url("iterable"),
});
