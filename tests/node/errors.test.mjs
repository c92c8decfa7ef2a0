// Every code that the core can send arrives as the class that the catalogue promises, with all its facts.

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { Readable } from "node:stream";
import { test } from "node:test";
import { runInNewContext } from "node:vm";

import * as cartwire from "cartwire";

const { CLASSES, fromNative } = createRequire(import.meta.url)("../../bindings-node/lib/errors.js");
const { checked } = createRequire(import.meta.url)("../../bindings-node/lib/native.js");

const codes = cartwire.catalog().error_codes;

for (const { code, class: name } of codes) {
  test(`${code} arrives as ${name}`, () => {
    const error = fromNative(new Error(JSON.stringify({ code, class: name, message: "why", text: `${code}: why`, retryable: false })));
    assert.ok(error instanceof cartwire[name]);
    assert.ok(error instanceof cartwire.CartwireError);
    assert.ok(error instanceof Error);
    assert.equal(error.name, name);
    assert.equal(error.code, code);
    assert.equal(error.message, `${code}: why`);
  });
}

test("every class has a code, and every class is public", () => {
  const used = new Set(codes.map((code) => code.class));
  assert.deepEqual(new Set(Object.keys(CLASSES)), used);
  for (const name of used) assert.equal(cartwire[name], CLASSES[name]);
});

test("the declarations name every code at its class", () => {
  const declarations = readFileSync(new URL("../../bindings-node/lib/index.d.ts", import.meta.url), "utf8");
  for (const { code, class: name } of codes) {
    const comment = declarations.match(new RegExp(`/\\*\\*([^/]*)\\*/\\nexport class ${name} `))?.[1];
    assert.match(comment ?? "", new RegExp(`\`${code}\``));
  }
});

test("all facts arrive", () => {
  const error = fromNative(
    new Error(
      JSON.stringify({
        code: "rate_limited",
        class: "TransientError",
        message: "slow down",
        text: "rate_limited: slow down at /requests/0, endpoint=users.update",
        retryable: true,
        retry_after_s: 1.5,
        operation: "deliver",
        path: "/requests/0",
        context: { endpoint: "users.update" },
        correlation_id: "c-1",
        cause: "connection reset",
      }),
    ),
  );
  assert.equal(error.retryable, true);
  assert.equal(error.retryAfter, 1.5);
  assert.equal(error.operation, "deliver");
  assert.equal(error.path, "/requests/0");
  assert.deepEqual(error.context, { endpoint: "users.update" });
  assert.equal(error.correlationId, "c-1");
  assert.equal(error.cause, "connection reset");
});

test("a wrong option is a ConfigError that names the place, from sync and async calls alike", async () => {
  const wrong = { source: "commercetools", fromat: "json" };
  const expected = (error) => {
    assert.ok(error instanceof cartwire.ConfigError);
    assert.equal(error.code, "invalid_config");
    assert.equal(error.path, "/fromat");
    assert.equal(error.retryable, false);
    assert.equal(error.retryAfter, undefined);
    assert.match(error.message, /unknown field `fromat`/);
    return true;
  };
  assert.throws(() => cartwire.normalize("{}", wrong), expected);
  assert.throws(() => cartwire.raw.build("{}", wrong), expected);
  assert.throws(() => new cartwire.Pipeline(wrong), expected);
  await assert.rejects(cartwire.normalizeAsync("{}", wrong), expected);
});

test("a source of no build is unknown_name", () => {
  assert.throws(() => cartwire.normalize("{}", { source: "corner_shop" }), { name: "ConfigError", code: "unknown_name", path: "/source" });
});

test("data that is neither bytes, text nor an object is an InputError", () => {
  const circular = {};
  circular.self = circular;
  for (const data of [5, true, undefined, null, () => {}, Symbol("data"), circular, Promise.resolve({}), Readable.from([])]) {
    assert.throws(() => cartwire.normalize(data, { source: "commercetools" }), { name: "InputError", code: "invalid_input" });
  }
});

test("bytes and errors of another realm, as test runners make them, are read all the same", () => {
  const { records, rejected } = cartwire.normalize(runInNewContext("new Uint8Array([123, 125]).buffer"), { source: "commercetools" });
  assert.deepEqual(records, []);
  assert.equal(rejected.length, 1);
  const foreign = runInNewContext(`new Error('{"code": "closed", "class": "LifecycleError", "text": "closed: it is"}')`);
  assert.ok(fromNative(foreign) instanceof cartwire.LifecycleError);
});

test("an error shows its code and class when printed, and survives JSON", () => {
  const error = new cartwire.StateError("state_locked: held", { code: "state_locked" });
  assert.match(String(error), /^StateError: state_locked: held$/);
  assert.match(error.stack, /errors\.test\.mjs/);
  assert.equal(JSON.parse(JSON.stringify(error)).code, "state_locked");
});

test("what the addon did not throw is passed on, and what it threw without facts is internal", () => {
  assert.equal(fromNative("text"), "text");
  assert.ok(fromNative(new TypeError("no JSON")) instanceof cartwire.InternalError);
});

test("an addon of another version is refused", () => {
  const addon = { version: () => "0.0.1" };
  assert.equal(checked(addon, "0.0.1"), addon);
  assert.throws(() => checked(addon, "0.0.2"), /version 0\.0\.1.*0\.0\.2/);
});
