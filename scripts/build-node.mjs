// Builds the Node addon and puts it where the loader looks: bindings-node/lib/cartwire.<platform>.node
//
//   node scripts/build-node.mjs [--release | --profile NAME]
//
// Plain cargo and a copy, because that needs nothing but Rust and Node: no package to install first, no download after
// installing one. The `napi` block of package.json is for the release, where `napi create-npm-dirs`, `napi artifacts` and
// `napi prepublish` make one package per target out of the same files.

import { spawnSync } from "node:child_process";
import { copyFileSync, renameSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const { localFile } = createRequire(import.meta.url)("../bindings-node/lib/platform.js");

const profile = process.argv.slice(2);
const cargo = ["build", "--package", "cartwire-node", "--message-format", "json-render-diagnostics", ...profile];
const build = spawnSync("cargo", cargo, { cwd: root, stdio: ["ignore", "pipe", "inherit"], maxBuffer: 1 << 28, encoding: "utf8" });
if (build.error) throw build.error;
if (build.status !== 0) process.exit(build.status ?? 1);

// Cargo says where it put the library; the target directory and the file's prefix differ between machines.
const library = build.stdout
  .split("\n")
  .filter((line) => line.startsWith("{"))
  .map((line) => JSON.parse(line))
  .filter((message) => message.reason === "compiler-artifact" && message.target.name === "cartwire_node")
  .flatMap((message) => message.filenames)
  .find((file) => /\.(so|dylib|dll)$/.test(file));
if (!library) throw new Error("cargo built no library for cartwire-node");

const target = join(root, "bindings-node", "lib", localFile());
// Written beside and renamed: overwriting a library that a process has loaded would crash that process.
const fresh = `${target}.${process.pid}`;
copyFileSync(library, fresh);
rmSync(target, { force: true });
renameSync(fresh, target);
console.log(target);
