// What `npm pack` makes is what users get: the right files, one version everywhere, and it works in an empty folder.

import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";

import { catalog, version } from "cartwire";

const root = fileURLToPath(new URL("../../", import.meta.url));
const manifest = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
const npm = (args, cwd) =>
  execFileSync("npm", args, { cwd, encoding: "utf8", stdio: ["ignore", "pipe", "ignore"], shell: process.platform === "win32" });

let folder;
let packed;

before(() => {
  folder = mkdtempSync(join(tmpdir(), "cartwire-package-"));
  [packed] = JSON.parse(npm(["pack", "--json", "--ignore-scripts", "--pack-destination", folder], root));
});

after(() => rmSync(folder, { recursive: true, force: true }));

test("the package, the addon and the workspace have one version", () => {
  const workspace = readFileSync(join(root, "Cargo.toml"), "utf8").match(/\[workspace\.package\][^[]*?\nversion = "([^"]+)"/)?.[1];
  assert.equal(manifest.version, workspace);
  assert.equal(version, workspace);
  assert.equal(catalog().version, workspace);
});

test("the package holds the library, its types and its licence, and nothing else", () => {
  const files = packed.files.map(({ path }) => path);
  for (const file of ["package.json", "bindings-node/lib/index.js", "bindings-node/lib/index.d.ts", "bindings-node/lib/types.d.ts"]) {
    assert.ok(files.includes(file), `${file} is missing`);
  }
  assert.ok(files.some((file) => /^LICENSE/.test(file)), "a licence is missing");
  const expected = /^(package\.json|README\.md|CHANGELOG\.md|LICENSE[^/]*|bindings-node\/lib\/[\w.-]+\.(js|d\.ts|node))$/;
  assert.deepEqual(files.filter((file) => !expected.test(file)), []);
});

test("the package needs no other package and runs nothing when it is installed", () => {
  assert.equal(manifest.dependencies, undefined);
  for (const script of ["preinstall", "install", "postinstall", "prepare"]) assert.equal(manifest.scripts[script], undefined);
});

test("installed in an empty folder, it is required and imported, and delivers", () => {
  const project = join(folder, "project");
  execFileSync(process.execPath, ["-e", "require('node:fs').mkdirSync(process.argv[1])", project]);
  writeFileSync(join(project, "package.json"), '{ "name": "project", "version": "1.0.0", "private": true }');
  npm(["install", "--offline", "--ignore-scripts", "--no-audit", "--no-fund", join(folder, packed.filename)], project);

  const run = (file, text) => {
    writeFileSync(join(project, file), text);
    return execFileSync(process.execPath, [file], { cwd: project, encoding: "utf8" }).trim();
  };
  assert.equal(run("required.cjs", 'const { version, Sync } = require("cartwire"); console.log(version, typeof Sync.open);'), `${version} function`);
  assert.equal(
    run(
      "imported.mjs",
      `import cartwire, { Sandbox, Sync, version } from "cartwire";
       const sandbox = await Sandbox.start();
       const destination = { type: "iterable", project_type: "hybrid", api_key: "sandbox-key", base_url: sandbox.url("iterable") };
       const sync = await Sync.open({ source: "commercetools", destination });
       const { ok } = await sync.check();
       await sync.close();
       await sandbox.stop();
       console.log(version === cartwire.version, ok);`,
    ),
    "true true",
  );
});
