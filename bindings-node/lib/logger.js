"use strict";

const { call } = require("./call.js");
const { native } = require("./native.js");

/** Sends the library's log events to a function from now on. */
function setLogger(callback, options) {
  if (callback === null) {
    call(() => native.setLogger(undefined, "off"));
    return;
  }
  const receive = (chunk) => {
    for (const event of JSON.parse(chunk)) {
      try {
        callback(event);
      } catch (error) {
        // Logging must not end the process, and an error here has no caller to go to.
        process.emitWarning(`the logger given to cartwire threw: ${error?.message ?? error}`, "CartwireLoggerWarning");
      }
    }
  };
  call(() => native.setLogger(receive, options?.level ?? "info"));
}

exports.setLogger = setLogger;
