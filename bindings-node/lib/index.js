"use strict";

// What each of these is, with formats, defaults and errors, is written in `index.d.ts`.

const { call, fromBytes } = require("./call.js");
const errors = require("./errors.js");
const { setLogger } = require("./logger.js");
const { native } = require("./native.js");
const pure = require("./pure.js");
const { Sandbox } = require("./sandbox.js");
const { Sync } = require("./sync.js");

// One assignment a name, so that `import { Sync } from "cartwire"` works: Node reads these without running the file.
exports.normalize = pure.normalize;
exports.validate = pure.validate;
exports.build = pure.build;
exports.normalizeAsync = pure.normalizeAsync;
exports.validateAsync = pure.validateAsync;
exports.buildAsync = pure.buildAsync;
exports.raw = pure.raw;
exports.Pipeline = pure.Pipeline;
exports.Sync = Sync;
exports.Sandbox = Sandbox;
exports.setLogger = setLogger;
exports.catalog = () => fromBytes(call(() => native.catalog()));
exports.version = native.version();
exports.CartwireError = errors.CartwireError;
exports.InputError = errors.InputError;
exports.ConfigError = errors.ConfigError;
exports.DestinationError = errors.DestinationError;
exports.TransientError = errors.TransientError;
exports.StateError = errors.StateError;
exports.LifecycleError = errors.LifecycleError;
exports.InternalError = errors.InternalError;
