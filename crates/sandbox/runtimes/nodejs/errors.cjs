// Errors as AWS tells them: what is posted, what is logged, what X-Ray is given; and those of our
// own. Frames of this client are left out of every stack.
'use strict';

const { types } = require('util');

const OUR_FRAME = new RegExp(`^ +at .*${__dirname.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')}/[a-z]+\\.cjs:`);

function stackLines(error) {
  return error.stack.split('\n').filter((line) => !OUR_FRAME.test(line));
}

function isErrorLike(thing) {
  return (
    types.isNativeError(thing) ||
    (thing &&
      thing.name &&
      thing.message &&
      thing.stack &&
      typeof thing.name === 'string' &&
      typeof thing.message === 'string' &&
      typeof thing.stack === 'string')
  );
}

// DEL is not allowed in what the Runtime API takes.
const plain = (text) => (typeof text === 'string' ? text.replace(/\x7F/g, '%7F') : text);

// The document posted to the Runtime API.
function posted(error) {
  try {
    if (isErrorLike(error)) {
      return told(error, stackLines(error).map(plain));
    }
    return { errorType: typeof error, errorMessage: error.toString(), trace: [] };
  } catch {
    return UNREADABLE;
  }
}

// The same since Node 24: an error is what inherits from Error, its stack may be missing.
function postedModern(error) {
  try {
    if (error instanceof Error) {
      return told(error, error.stack ? stackLines(error).map(plain) : []);
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return { ...UNREADABLE, trace: [] };
  }
}

function told(error, trace) {
  return { errorType: plain(error.name), errorMessage: plain(error.message), trace };
}

const UNREADABLE = {
  errorType: 'handled',
  errorMessage:
    'callback called with Error argument, but there was a problem while retrieving one or ' +
    'more of its message, name, and stack',
};

function intoError(thing, isModern) {
  return thing instanceof Error ? thing : new Error(isModern ? String(thing) : thing);
}

// The part of a text log line that tells an error.
function logged(error) {
  try {
    return '\t' + JSON.stringify(error, (_key, value) => withFields(value));
  } catch {
    return '\t' + JSON.stringify(posted(error));
  }
}

function withFields(value) {
  if (!(value instanceof Error)) {
    return value;
  }
  const fields = Object.assign(
    { errorType: value.name, errorMessage: value.message, code: value.code },
    value,
  );
  if (typeof value.stack === 'string') {
    fields.stack = stackLines(value);
  }
  return fields;
}

// The document for X-Ray, or nothing where the error has no readable shape.
function xrayCause(error) {
  try {
    const stack = [];
    if (error.stack) {
      for (const line of stackLines(error).slice(1)) {
        const frame = plain(line).trim().replace(/[()]/g, '').replace(/^\S*\s/, '');
        const blank = frame.lastIndexOf(' ');
        const [path, row] = frame.slice(blank + 1).split(':');
        stack.push({ path, line: parseInt(row, 10), label: frame.slice(0, Math.max(blank, 0)) || 'anonymous' });
      }
    }
    return JSON.stringify({
      working_directory: process.cwd(),
      exceptions: [{ type: plain(error.name), message: plain(error.message), stack }],
      paths: Array.from(new Set(stack.map((frame) => frame.path))),
    });
  } catch {
    return '';
  }
}

function runtimeError(name) {
  const kind = { [name]: class extends Error {} }[name];
  kind.prototype.name = `Runtime.${name}`;
  return kind;
}

class UnhandledPromiseRejection extends Error {
  constructor(reason, promise) {
    super(reason);
    this.reason = reason;
    this.promise = promise;
  }
}
UnhandledPromiseRejection.prototype.name = 'Runtime.UnhandledPromiseRejection';

module.exports = {
  posted,
  postedModern,
  intoError,
  logged,
  xrayCause,
  stackLines,
  UnhandledPromiseRejection,
  HandlerNotFound: runtimeError('HandlerNotFound'),
  ImportModuleError: runtimeError('ImportModuleError'),
  MalformedHandlerName: runtimeError('MalformedHandlerName'),
  InvalidStreamingOperation: runtimeError('InvalidStreamingOperation'),
  MalformedStreamingHandler: runtimeError('MalformedStreamingHandler'),
  UserCodeSyntaxError: runtimeError('UserCodeSyntaxError'),
  JSONStringifyError: runtimeError('JSONStringifyError'),
  CallbackHandlerDeprecated: runtimeError('CallbackHandlerDeprecated'),
};
