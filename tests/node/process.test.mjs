// Threads and ends of processes: handles belong to the thread that opened them, and a forgotten one holds nothing up.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { test } from "node:test";
import { Worker } from "node:worker_threads";

const support = new URL("./support.mjs", import.meta.url).href;

const script = (body) => `
  import { Sandbox, Sync, normalize, setLogger } from "cartwire";
  import { customer, destinationOf, orderCreated } from ${JSON.stringify(support)};
  const sandbox = await Sandbox.start();
  const sync = await Sync.open({ source: "commercetools", destination: destinationOf(sandbox) });
  ${body}
`;

const run = (body) =>
  spawnSync(process.execPath, ["--input-type=module", "--eval", script(body)], {
    cwd: new URL("../..", import.meta.url),
    encoding: "utf8",
    timeout: 20_000,
  });

test("a process that forgets to close ends all the same", () => {
  const { status, signal, stdout, stderr } = run(`
    sandbox.fault({ match: { path: "/api" }, fault: { kind: "latency", delay_ms: 60000 }, times: 100 });
    setLogger(() => {}, { level: "trace" });
    console.log((await sync.accept(orderCreated(1))).accepted);
  `);
  assert.deepEqual({ status, signal, stdout, stderr }, { status: 0, signal: null, stdout: "2\n", stderr: "" });
});

test("process.exit in the middle of a delivery is no crash", () => {
  const { status, signal } = run(`
    sandbox.fault({ match: { path: "/api" }, fault: { kind: "latency", delay_ms: 60000 }, times: 100 });
    sync.deliver(orderCreated(1)).catch(() => {});
    setTimeout(() => process.exit(7), 100);
  `);
  assert.deepEqual({ status, signal }, { status: 7, signal: null });
});

test("a delivery under way keeps the process until its answer", () => {
  const { status, stdout } = run(`
    sandbox.fault({ match: { path: "/api" }, fault: { kind: "latency", delay_ms: 200 } });
    sync.deliver(orderCreated(1)).then((report) => console.log(report.counts.delivered));
  `);
  assert.deepEqual({ status, stdout }, { status: 0, stdout: "1\n" });
});

test("worker threads work side by side, and end while the main thread goes on", async () => {
  const body = script(`
    import { parentPort } from "node:worker_threads";
    setLogger(() => {}, { level: "debug" });
    sandbox.fault({ match: { path: "/api/users" }, fault: { kind: "status", status: 400 } });
    const report = await sync.deliver([customer(1), customer(2)]);
    parentPort.postMessage(report.counts.rows);
  `);
  // A `data:` module has no package around it to find the library by name in.
  const module = body.replace('"cartwire"', JSON.stringify(import.meta.resolve("cartwire")));
  for (let round = 0; round < 2; round++) {
    const workers = Array.from({ length: 3 }, () => new Worker(new URL(`data:text/javascript,${encodeURIComponent(module)}`)));
    const answers = await Promise.all(workers.map((worker) => Promise.all([once(worker, "message"), once(worker, "exit")])));
    assert.deepEqual(answers, Array(3).fill([[2], [0]]));
  }
});
