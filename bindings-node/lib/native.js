"use strict";

const { candidates } = require("./platform.js");

/** Loads the addon: the file beside this one where it was built here, else the package of this platform. */
function load() {
  const failures = [];
  for (const name of candidates()) {
    for (const place of [`./cartwire.${name}.node`, `@cartwire/native-${name}`]) {
      try {
        return require(place);
      } catch (error) {
        // A missing file is expected of all candidates but one; a file that cannot be loaded is what people must know of.
        const missing = error.code === "MODULE_NOT_FOUND";
        failures.push({ missing, error, place });
      }
    }
  }
  const broken = failures.find((failure) => !failure.missing);
  const why = broken
    ? `${broken.place} cannot be loaded: ${broken.error.message}`
    : `there is no build for ${process.platform}-${process.arch} here; build it with \`npm run build\`, which needs Rust`;
  throw new Error(`cartwire's native addon is not available: ${why}`, { cause: broken?.error });
}

/** Refuses an addon of another version: the two halves speak one protocol only within a version. */
function checked(native, version) {
  const found = native.version();
  if (found !== version) {
    throw new Error(`cartwire's native addon is version ${found}, its JavaScript is ${version}; install or build them together`);
  }
  return native;
}

exports.native = checked(load(), require("../../package.json").version);
exports.checked = checked;
