// Measures cartwire from Node.
//
//   node bench.mjs FOLDER    FOLDER as written by `cartwire-bench write`; numbers as JSON on standard output

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const { Pipeline } = createRequire(import.meta.url)("../../bindings-node/lib/index.js");

const folder = process.argv[2];
const options = JSON.parse(readFileSync(join(folder, "options.json"), "utf8"));
const one = new Pipeline(options);
const two = new Pipeline({ ...options, threads: 2 });

/** Runs all works in turns until the budget is spent; the first ten rounds, in which V8 compiles, do not count. */
function rounds(seconds, works) {
  const taken = works.map(() => []);
  let started = performance.now();
  for (let count = 0; count < 25 || performance.now() - started < seconds * 1000; count++) {
    works.forEach((work, index) => {
      const before = performance.now();
      work();
      taken[index].push(performance.now() - before);
    });
    if (count === 10) {
      taken.forEach((times) => (times.length = 0));
      started = performance.now();
    }
  }
  return taken.map((times) => {
    times.sort((a, b) => a - b);
    return { best: times[0], median: times[times.length >> 1] };
  });
}

const each = (cost, orders) => ({ best_us: (cost.best * 1000) / orders, median_us: (cost.median * 1000) / orders });

const sizes = {};
for (const name of ["8k", "18k"]) {
  const raw = readFileSync(join(folder, `orders-${name}.ndjson`));
  const lines = raw.toString().split("\n").filter(Boolean);
  const orders = lines.slice(0, 64).map((line) => Buffer.from(line));
  const objects = orders.map((order) => JSON.parse(order));
  if (one.build(raw).requests.length !== lines.length) throw new Error("not every order became a purchase");
  const [path, objectsPath] = rounds(4, [
    () => orders.forEach((order) => one.raw.build(order)),
    () => objects.forEach((order) => one.build(order)),
  ]);
  const [linesOne, linesTwo] = rounds(3, [() => one.raw.build(raw), () => two.raw.build(raw)]);
  sizes[name] = {
    path: each(path, orders.length),
    objects: each(objectsPath, orders.length),
    ndjson_1: each(linesOne, lines.length),
    ndjson_2: each(linesTwo, lines.length),
  };
}
console.log(JSON.stringify({ orders: sizes, node: process.version }, null, 2));
