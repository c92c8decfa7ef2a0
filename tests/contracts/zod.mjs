// Holds request bodies against the schemas of Iterable's own TypeScript client.
//
//   npm ci --prefix tests/contracts && node tests/contracts/zod.mjs FOLDER_OR_FILE...
//
// Takes every *.ndjson in the folders named, as `run.py` does. Calls the client has no schema for are counted as such.
// Exit 0: nothing refused. 1: refusals. 2: nothing was checked.

import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

import * as api from "@iterable/api";

const decode = decodeURIComponent;

// Method, path, schema, and what the client is given besides the body: it takes parts of the path as parameters.
const CALLS = [
  ["POST", /^\/api\/users\/update$/, api.UpdateUserParamsSchema],
  ["POST", /^\/api\/users\/bulkUpdate$/, api.BulkUpdateUsersParamsSchema],
  ["POST", /^\/api\/users\/updateSubscriptions$/, api.UpdateUserSubscriptionsParamsSchema],
  ["POST", /^\/api\/users\/merge$/, api.MergeUsersParamsSchema],
  ["POST", /^\/api\/events\/track$/, api.TrackEventParamsSchema],
  ["POST", /^\/api\/events\/trackBulk$/, api.TrackBulkEventsParamsSchema],
  ["POST", /^\/api\/catalogs\/([^/]+)\/items$/, api.ReplaceCatalogItemsParamsSchema, ([catalogName]) => ({ catalogName })],
  ["DELETE", /^\/api\/catalogs\/([^/]+)\/items$/, api.BulkDeleteCatalogItemsParamsSchema, ([catalogName]) => ({ catalogName })],
  ["PATCH", /^\/api\/subscriptions\/(\w+)\/(\d+)\/user\/([^/]+)$/, api.SubscribeUserByEmailParamsSchema, byEmail],
  ["DELETE", /^\/api\/subscriptions\/(\w+)\/(\d+)\/user\/([^/]+)$/, api.UnsubscribeUserByEmailParamsSchema, byEmail],
  ["PATCH", /^\/api\/subscriptions\/(\w+)\/(\d+)\/byUserId\/([^/]+)$/, api.SubscribeUserByUserIdParamsSchema, byUserId],
  ["DELETE", /^\/api\/subscriptions\/(\w+)\/(\d+)\/byUserId\/([^/]+)$/, api.UnsubscribeUserByUserIdParamsSchema, byUserId],
  ["DELETE", /^\/api\/users\/byUserId\/([^/]+)$/, api.DeleteUserByUserIdParamsSchema, ([userId]) => ({ userId })],
  ["DELETE", /^\/api\/users\/([^/]+)$/, api.DeleteUserByEmailParamsSchema, ([email]) => ({ email })],
  ["GET", /^\/api\/users\/getByEmail$/, api.GetUserByEmailParamsSchema, (_, query) => Object.fromEntries(query)],
  ["GET", /^\/api\/users\/byUserId$/, api.GetUserByIdParamsSchema, (_, query) => Object.fromEntries(query)],
];

function byEmail([subscriptionGroup, id, userEmail]) {
  return { subscriptionGroup, subscriptionGroupId: Number(id), userEmail };
}

function byUserId([subscriptionGroup, id, userId]) {
  return { subscriptionGroup, subscriptionGroupId: Number(id), userId };
}

function* files(names) {
  for (const name of names) {
    if (statSync(name).isDirectory()) {
      yield* readdirSync(name).filter((file) => file.endsWith(".ndjson")).sort().map((file) => join(name, file));
    } else {
      yield name;
    }
  }
}

// The client's pattern for addresses takes no `/` before the `@`; RFC 5321 and Iterable's own validator do.
const excused = (issue, given) => {
  const value = issue.path.reduce((at, step) => at?.[step], given);
  return issue.format === "email" && typeof value === "string" && /^[^@]*\/[^@]*@[^@/]+$/.test(value);
};

const checked = new Map();
const uncovered = new Map();
let refused = 0;

const count = (map, key) => map.set(key, (map.get(key) ?? 0) + 1);

for (const file of files(process.argv.slice(2))) {
  for (const [index, line] of readFileSync(file, "utf8").split("\n").entries()) {
    if (line.trim() === "") continue;
    const exchange = JSON.parse(line);
    const url = new URL(exchange.url);
    // A body that is broken on purpose, or a refusal the caller asked for, is no statement of what is sent.
    if (exchange.vendor !== "iterable" || !url.pathname.startsWith("/api/") || exchange.body_is_json === false) continue;
    const call = CALLS.find(([method, path]) => method === exchange.method && path.test(url.pathname));
    if (call?.[2] === undefined) {
      count(uncovered, `${exchange.method} ${url.pathname.replace(/(?<=catalogs\/)[^/]+/, "*")}`);
      continue;
    }
    const [method, path, schema, parameters] = call;
    const parts = path.exec(url.pathname).slice(1).map(decode);
    const given = { ...parameters?.(parts, url.searchParams), ...exchange.body };
    const { success, error } = schema.safeParse(given);
    count(checked, `${method} ${path.source.replaceAll("\\/", "/").replace(/\([^)]*\)/g, "*").replace(/^\^|\$$/g, "")}`);
    const issues = success ? [] : error.issues.filter((issue) => !excused(issue, given));
    if (issues.length < (error?.issues.length ?? 0)) count(checked, "(excused: a `/` in an address)");
    if (issues.length > 0) {
      refused += 1;
      for (const issue of issues) {
        console.log(`${file}:${index + 1} ${exchange.ref ?? ""}: ${method} ${url.pathname} /${issue.path.join("/")}: ${issue.message}`);
      }
    }
  }
}

const print = (map, what) => [...map].sort().forEach(([key, n]) => console.log(`${String(n).padStart(7)}  ${what} ${key}`));
print(checked, "checked");
print(uncovered, "no schema for");
const total = [...checked].reduce((sum, [key, n]) => sum + (key.startsWith("(") ? 0 : n), 0);
console.log(`${total} exchanges, ${refused} refused`);
if (total === 0) console.error("no exchange was found; a check of nothing is no check");
process.exitCode = total === 0 ? 2 : refused > 0 ? 1 : 0;
