// From the name of a handler to its function: CommonJS, ES module, or a package found by Node.
'use strict';

const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');

const errors = require('./errors.cjs');
const { HttpResponseStream } = require('./stream.cjs');

const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');
const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');

// Modules are required as if by AWS's entry: that name ends the require stack of a missing module.
const requireForFunction = createRequire(path.join(__dirname, 'index.mjs'));

// What functions find as `awslambda`.
function setGlobals(env) {
  if (['1', 'true'].includes(env.AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA)) {
    return;
  }
  globalThis.awslambda = {
    ...globalThis.awslambda,
    streamifyResponse(handler, options) {
      handler[STREAMING] = 'response';
      if (typeof options?.highWaterMark === 'number') {
        handler[HIGH_WATER_MARK] = parseInt(options.highWaterMark, 10);
      }
      return handler;
    },
    HttpResponseStream,
  };
}

// `isModern`: the rules since Node 24, where every file is imported and default exports are seen.
async function load(taskRoot, name, isModern) {
  if (name.includes('..')) {
    throw new errors.MalformedHandlerName(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const file = path.basename(name);
  const folder = name.substring(0, name.indexOf(file));
  const parts = file.match(/^([^.]*)\.(.*)$/);
  if (!parts) {
    throw new errors.MalformedHandlerName('Bad handler');
  }
  const loaded = await loadModule(taskRoot, folder, parts[1], isModern);
  const keys = parts[2].split('.');
  const handler = isModern
    ? ownPath(loaded, keys) || ownPath(loaded?.default, keys)
    : keys.reduce((inner, key) => inner && inner[key], loaded);
  if (!handler) {
    throw new errors.HandlerNotFound(`${name} is undefined or not exported`);
  }
  if (typeof handler !== 'function') {
    throw new errors.HandlerNotFound(`${name} is not a function`);
  }
  isStreaming(handler);
  return handler;
}

function ownPath(from, keys) {
  return keys.reduce(
    (inner, key) => (inner && typeof inner === 'object' ? inner[key] : undefined),
    from,
  );
}

// Whether the handler was made by `awslambda.streamifyResponse`.
function isStreaming(handler) {
  const kind = handler[STREAMING];
  if (kind && kind !== 'response') {
    throw new errors.MalformedStreamingHandler('Only response streaming is supported.');
  }
  return Boolean(kind);
}

// How much its stream holds before it asks its writer to wait; undefined for Node's own measure.
function highWaterMark(handler) {
  const bytes = parseInt(handler[HIGH_WATER_MARK], 10);
  return Number.isNaN(bytes) ? undefined : bytes;
}

async function loadModule(taskRoot, folder, name, isModern) {
  try {
    const file = path.resolve(taskRoot, folder, name);
    const loaded = isModern ? await importAny(file) : await requireOrImport(file);
    if (loaded) {
      return loaded;
    }
    const found = requireForFunction.resolve(name, {
      paths: [taskRoot, isModern ? path.join(taskRoot, folder) : folder],
    });
    return requireForFunction(found);
  } catch (error) {
    if (error instanceof SyntaxError) {
      const told = new errors.UserCodeSyntaxError(String(error));
      if (isModern) {
        told.stack = error.stack;
      }
      throw told;
    }
    if (error && error.code === 'MODULE_NOT_FOUND') {
      throw new errors.ImportModuleError(String(error));
    }
    throw error;
  }
}

async function importAny(file) {
  for (const extension of ['', '.js', '.mjs', '.cjs']) {
    if (fs.existsSync(file + extension)) {
      return import(file + extension);
    }
  }
  return undefined;
}

async function requireOrImport(file) {
  const required = (extension) =>
    fs.existsSync(file + extension) ? requireForFunction(file + extension) : undefined;
  const imported = (extension) =>
    fs.existsSync(file + extension) ? import(file + extension) : undefined;
  const isModule = fs.existsSync(file + '.js') && isTypeModule(path.dirname(file));
  return (
    required('') ||
    (isModule ? await imported('.js') : required('.js')) ||
    (await imported('.mjs')) ||
    required('.cjs')
  );
}

// Whether the nearest package.json makes a .js file an ES module.
function isTypeModule(folder) {
  if (folder.endsWith('/node_modules')) {
    return false;
  }
  const file = path.join(folder, 'package.json');
  if (fs.existsSync(file)) {
    try {
      const described = JSON.parse(fs.readFileSync(file, 'utf8'));
      if (described) {
        return described.type === 'module';
      }
    } catch (error) {
      console.warn(
        `${file} cannot be read, it will be ignored for ES module detection purposes.`,
        error,
      );
      return false;
    }
  }
  return folder === '/' ? false : isTypeModule(path.dirname(folder));
}

module.exports = { load, setGlobals, isStreaming, highWaterMark };
