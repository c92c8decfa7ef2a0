// The declarations accept what users may write and refuse what they must not: `types.test-d.ts` under the compiler.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { test } from "node:test";
import { fileURLToPath } from "node:url";

const root = fileURLToPath(new URL("../../", import.meta.url));
const compiler = fileURLToPath(new URL("../../node_modules/typescript/bin/tsc", import.meta.url));

test("the types hold", { skip: existsSync(compiler) ? false : "no TypeScript here; `npm ci` brings it" }, () => {
  const { status, stdout } = spawnSync(process.execPath, [compiler, "--project", "tests/node"], { cwd: root, encoding: "utf8" });
  assert.equal(stdout, "");
  assert.equal(status, 0);
});
