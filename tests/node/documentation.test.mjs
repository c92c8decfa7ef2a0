// What the documentation shows works as it is written.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..", "..");

for (const page of ["README.md", "docs/guide-node.md"]) {
  test(`the examples of ${page} run`, () => {
    const examples = [...readFileSync(join(root, page), "utf8").matchAll(/^```js\n(.*?)^```/gms)].map((match) => match[1]);
    assert.ok(examples.length > 0, `${page} has a JavaScript example`);
    for (const [index, example] of examples.entries()) {
      const run = spawnSync(process.execPath, ["--input-type=module", "--eval", example], { cwd: root, encoding: "utf8", timeout: 60_000 });
      assert.equal(run.status, 0, `example ${index + 1} of ${page}:\n${run.stderr}`);
      assert.notEqual(run.stdout, "", `example ${index + 1} of ${page} shows something`);
    }
  });
}
