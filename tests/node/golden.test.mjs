// Runs every golden case through the public functions: the answers must be those on file, and their bytes the very bytes
// that Rust gives.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

import { Pipeline, build, normalize, raw } from "cartwire";

const golden = fileURLToPath(new URL("../golden/", import.meta.url));
const read = (...path) => JSON.parse(readFileSync(join(golden, ...path), "utf8"));

/** The options of one call: what `case.json` says, with that destination. */
const KEYS = ["now", "source", "mode", "resource", "format", "validate", "max_record_bytes"];

const folders = (path) => readdirSync(path, { withFileTypes: true }).filter((entry) => entry.isDirectory()).map((entry) => entry.name);
const cases = existsSync(golden)
  ? folders(golden).flatMap((source) => folders(join(golden, source)).map((name) => `${source}/${name}`)).filter((name) => existsSync(join(golden, name, "case.json")))
  : [];

test("there are golden cases", () => {
  assert.ok(cases.length > 0);
});

// As set up for all cases together; a case may say otherwise.
const everywhere = read("destinations.json");
const digests = cases.length > 0 ? read("digests.json") : {};

for (const name of cases) {
  const { title, destinations, ...spec } = read(name, "case.json");
  test(`${name}: ${title}`, () => {
    const file = ["source.json", "source.ndjson", "source.bin"].find((file) => existsSync(join(golden, name, file)));
    const data = readFileSync(join(golden, name, file));
    const options = Object.fromEntries(KEYS.filter((key) => key in spec).map((key) => [key, spec[key]]));
    const check = (answer, bytes, file) => {
      assert.deepEqual(answer, read(name, file), `${name}/${file}`);
      const digest = createHash("sha256").update(bytes).digest("hex");
      assert.equal(digest, digests[`${name}/${file}`], `${name}/${file}: the bytes differ though the values are equal`);
    };
    check(normalize(data, options), raw.normalize(data, options), "canonical.json");
    for (const [destination, config] of Object.entries({ ...everywhere, ...destinations })) {
      const all = { ...options, destination: config };
      check(build(data, all), raw.build(data, all), `${destination}.json`);
      assert.deepEqual(new Pipeline(all).raw.build(data), raw.build(data, all));
    }
  });
}

test("a case reads the same as bytes, as text and as an object", () => {
  const name = cases.find((name) => existsSync(join(golden, name, "source.json")));
  const { now, source, resource } = read(name, "case.json");
  const bytes = readFileSync(join(golden, name, "source.json"));
  const options = { now, source, ...(resource && { resource }) };
  const expected = normalize(bytes, options);
  assert.deepEqual(normalize(bytes.toString(), options), expected);
  assert.deepEqual(normalize(new Uint8Array(bytes), options), expected);
  assert.deepEqual(normalize(JSON.parse(bytes.toString()), options), expected);
});
