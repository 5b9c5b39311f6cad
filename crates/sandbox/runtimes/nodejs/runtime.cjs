// The life of the runtime: prepare, find the handler, then event after event. There are two AWS
// clients to behave like: up to Node 22 handlers may call back and the event loop counts
// (`callbacks.cjs`); since Node 24 a handler's promise is all that counts (`promises.cjs`).
'use strict';

const Module = require('module');
const path = require('path');

const { setGlobals } = require('./handler.cjs');
const { Client } = require('./wire.cjs');

// Serves the function that `process.env` describes. Nothing is read from it before, so that a
// process may be booted before its function is known (`stem.cjs`).
function main() {
  const major = nodeMajor(process.env);
  setSearchPath(process.env, major);
  setGlobals(process.env);
  const isModern = major >= 24;
  const { run } = requireManner(isModern);
  run(process.env, new Client(process.env.AWS_LAMBDA_RUNTIME_API, isModern));
}

function requireManner(isModern) {
  return isModern ? require('./promises.cjs') : require('./callbacks.cjs');
}

// Loads what the function will need, as far as that is known.
function prepare() {
  requireManner(nodeMajor(process.env) >= 24);
}

function nodeMajor(env) {
  const named = /nodejs(\d+)/.exec(env.AWS_EXECUTION_ENV || '');
  return parseInt(named ? named[1] : process.versions.node, 10);
}

// AWS developer guide, nodejs layers: where modules that are not beside the function are found.
function setSearchPath(env, major) {
  if (env.NODE_PATH === undefined) {
    const runtimeDir = env.LAMBDA_RUNTIME_DIR || __dirname;
    env.NODE_PATH = [
      `/opt/nodejs/node${major}/node_modules`,
      '/opt/nodejs/node_modules',
      path.join(runtimeDir, 'node_modules'),
      runtimeDir,
      env.LAMBDA_TASK_ROOT,
    ].join(':');
    Module._initPaths();
  }
}

module.exports = { main, prepare };
