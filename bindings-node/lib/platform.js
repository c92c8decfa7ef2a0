"use strict";

// What the addon is called on this machine. Node says nothing of the C library, so on Linux both builds are candidates;
// npm installs only the one that fits.
const ABIS = {
  "darwin-arm64": ["darwin-arm64"],
  "darwin-x64": ["darwin-x64"],
  "linux-arm64": ["linux-arm64-gnu"],
  "linux-x64": ["linux-x64-gnu", "linux-x64-musl"],
  "win32-x64": ["win32-x64-msvc"],
};

/** The names of the builds that may run here, such as `linux-x64-gnu`. */
function candidates(platform = process.platform, arch = process.arch) {
  return ABIS[`${platform}-${arch}`] ?? [];
}

/** The name of the file that a build on this machine is kept under. */
function localFile() {
  const name = candidates()[isMusl() ? 1 : 0] ?? `${process.platform}-${process.arch}`;
  return `cartwire.${name}.node`;
}

function isMusl() {
  if (process.platform !== "linux") return false;
  const header = process.report?.getReport?.().header;
  return header !== undefined && header.glibcVersionRuntime === undefined;
}

exports.candidates = candidates;
exports.localFile = localFile;
