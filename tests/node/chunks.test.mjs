// Streams are cut into pieces without losing, doubling or breaking a row, whatever the pieces they arrive in.

import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Readable } from "node:stream";
import { test } from "node:test";
import { pathToFileURL } from "node:url";

const { chunks } = createRequire(import.meta.url)("../../bindings-node/lib/chunks.js");

const LIMITS = { size: 64, longest: 1024 };

async function collect(input, limits = LIMITS) {
  const pieces = [];
  for await (const piece of chunks(input, limits)) pieces.push(piece);
  return pieces;
}

const text = (pieces) => pieces.map((piece) => piece.data.toString()).join("");

test("a byte stream gives the same rows however it is broken up", async () => {
  const rows = Array.from({ length: 40 }, (_, index) => JSON.stringify({ index, name: "ü".repeat(index) }));
  const whole = Buffer.from(`${rows.join("\n")}\n`);
  for (const step of [1, 2, 3, 7, 64, 1000, whole.length]) {
    const parts = [];
    for (let at = 0; at < whole.length; at += step) parts.push(whole.subarray(at, at + step));
    const pieces = await collect(Readable.from(parts, { objectMode: false }));
    assert.equal(text(pieces), whole.toString(), `in steps of ${step}`);
    for (const { data, format } of pieces) {
      assert.equal(format, "ndjson");
      assert.equal(data.at(-1), 10, "a piece ends with a row");
    }
    if (step < 64) assert.ok(pieces.length > 10, "no piece is much larger than asked for");
  }
});

test("a last row without a line end is a row", async () => {
  assert.equal(text(await collect(Readable.from([Buffer.from('{"a":1}\n{"b"'), Buffer.from(":2}")], { objectMode: false }))), '{"a":1}\n{"b":2}\n');
});

test("a file is read by path and by URL", async () => {
  const folder = mkdtempSync(join(tmpdir(), "cartwire-"));
  try {
    const file = join(folder, "rows.ndjson");
    writeFileSync(file, '{"a":1}\n{"b":2}\n');
    assert.equal(text(await collect(file)), '{"a":1}\n{"b":2}\n');
    assert.equal(text(await collect(pathToFileURL(file))), '{"a":1}\n{"b":2}\n');
    await assert.rejects(collect(join(folder, "missing")), { code: "ENOENT" });
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a row that is too long is cut one byte past the limit, and its neighbours stay", async () => {
  const long = "x".repeat(5000);
  for (const step of [100, 100_000]) {
    const whole = Buffer.from(`{"a":1}\n"${long}"\n{"b":2}\n`);
    const parts = [];
    for (let at = 0; at < whole.length; at += step) parts.push(whole.subarray(at, at + step));
    const rows = text(await collect(Readable.from(parts, { objectMode: false }))).split("\n");
    assert.equal(rows.length, 4, `in steps of ${step}`);
    assert.equal(rows[0], '{"a":1}');
    assert.ok(rows[1].length > LIMITS.longest);
    assert.ok(step > 5000 || rows[1].length === LIMITS.longest + 1, `${rows[1].length} bytes were held`);
    assert.equal(rows[2], '{"b":2}');
  }
});

test("items of an iterable are documents: objects and lines are gathered, a text of several lines goes alone", async () => {
  async function* items() {
    yield { a: 1 };
    yield '{"b":2}';
    yield Buffer.from('{\n  "c": 3\n}');
    yield '{"d":4}\n';
  }
  const pieces = await collect(items());
  assert.deepEqual(
    pieces.map(({ data, format }) => [data.toString(), format]),
    [
      ['{"a":1}\n{"b":2}\n', "ndjson"],
      ['{\n  "c": 3\n}', "auto"],
      ['{"d":4}\n', "ndjson"],
    ],
  );
  assert.equal(text(await collect([{ a: 1 }, { b: 2 }])), '{"a":1}\n{"b":2}\n');
  assert.equal(text(await collect(Readable.from([{ a: 1 }]))), '{"a":1}\n');
});

test("nothing gives nothing", async () => {
  assert.deepEqual(await collect([]), []);
  assert.deepEqual(await collect(Readable.from([], { objectMode: false })), []);
});

test("what is no stream is an InputError", async () => {
  for (const input of [5, null, undefined, {}, Buffer.from("{}")]) {
    await assert.rejects(collect(input), { name: "InputError", code: "invalid_input" });
  }
});

test("a signal ends the wait for an item that never comes, and tells the source", async () => {
  const controller = new AbortController();
  let returned = false;
  const never = {
    [Symbol.asyncIterator]: () => ({
      next: () => new Promise(() => {}),
      return: async () => {
        returned = true;
        return { done: true };
      },
    }),
  };
  setTimeout(() => controller.abort(new Error("enough")), 10);
  await assert.rejects(collect(never, { ...LIMITS, signal: controller.signal }), (error) => {
    assert.equal(error.code, "cancelled");
    assert.equal(error.cause.message, "enough");
    return true;
  });
  assert.ok(returned);
});
