// Answers that are streamed: what a handler writes goes to the Runtime API at once, in a request of its own beside the
// socket that events come from; an error follows in its trailers (AWS developer guide, runtimes-custom). Never here:
// what a handler's end means.
'use strict';

const net = require('net');

const errors = require('./errors.cjs');

const ERROR_TYPE = 'Lambda-Runtime-Function-Error-Type';
const ERROR_BODY = 'Lambda-Runtime-Function-Error-Body';
const HTTP_INTEGRATION = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_END_BYTES = 8;

// What a handler may do with its stream, and see of it; everything else of the request is ours.
const METHODS = [
  'write', 'end', 'cork', 'uncork', 'destroy',
  'on', 'once', 'off', 'emit', 'addListener', 'prependListener', 'prependOnceListener',
  'removeListener', 'removeAllListeners', 'listeners', 'rawListeners', 'listenerCount', 'eventNames',
  'setMaxListeners', 'getMaxListeners',
];
const FACTS = [
  'writable', 'writableBuffer', 'writableCorked', 'writableEnded', 'writableFinished',
  'writableHighWaterMark', 'writableLength', 'writableNeedDrain', 'writableObjectMode',
];

let agent;

// Opens the answer to the event `id`. `done` is settled when the Runtime API has taken all of it or
// refused it; `fail` ends it with an error, and resolves then.
function openStream({ host, port }, id, highWaterMark) {
  // Only functions that stream pay for it.
  const http = require('http');
  agent = agent || new http.Agent({ keepAlive: true, maxSockets: 1 });
  agent.createConnection = (options, connected) =>
    net.createConnection({ ...options, highWaterMark }, connected);
  const request = http.request({
    host,
    port,
    agent,
    method: 'POST',
    path: `/2018-06-01/runtime/invocation/${encodeURIComponent(id)}/response`,
    headers: {
      'Lambda-Runtime-Function-Response-Mode': 'streaming',
      Trailer: [ERROR_TYPE, ERROR_BODY],
      'Content-Type': 'application/octet-stream',
      'Transfer-Encoding': 'chunked',
    },
  });
  const done = new Promise((resolve, reject) => {
    request.on('error', reject);
    request.on('response', (response) => {
      response.on('error', reject);
      response.on('end', resolve);
      response.resume();
    });
  });
  // Whoever waits for it hears of it; nobody has to.
  done.catch(() => {});
  const fail = (told) => {
    if (!request.writableEnded) {
      request.addTrailers({
        [ERROR_TYPE]: inHeader(told.errorType),
        [ERROR_BODY]: Buffer.from(JSON.stringify(told)).toString('base64'),
      });
      request.end();
    }
    return done.catch(() => {});
  };
  return { stream: forHandler(request), done, fail };
}

function inHeader(text) {
  return String(text).replace(/[^\x20-\x7e]/g, '?');
}

function forHandler(request) {
  let isBegun = false;
  const stream = {
    _onBeforeFirstWrite: undefined,
    setContentType(type) {
      if (isBegun) {
        throw new errors.InvalidStreamingOperation('Cannot set content-type, too late.');
      }
      request.setHeader('Content-Type', type);
    },
    get destroyed() {
      return request.destroyed;
    },
    set destroyed(value) {
      request.destroyed = value;
    },
  };
  for (const name of METHODS) {
    stream[name] = request[name].bind(request);
  }
  for (const name of FACTS) {
    Object.defineProperty(stream, name, { get: () => request[name] });
  }
  stream.write = (chunk, encoding, callback) => {
    const isData = typeof chunk === 'string' || chunk instanceof Uint8Array;
    const data = isData ? chunk : JSON.stringify(chunk);
    if (!isBegun && typeof stream._onBeforeFirstWrite === 'function') {
      stream._onBeforeFirstWrite((first) => request.write(first));
    }
    const goesOn = request.write(data, encoding, callback);
    isBegun = true;
    return goesOn;
  };
  return stream;
}

// What functions find as `awslambda.HttpResponseStream`: status and headers of an HTTP answer go first.
class HttpResponseStream {
  static from(stream, prelude) {
    stream.setContentType(HTTP_INTEGRATION);
    const first = JSON.stringify(prelude);
    stream._onBeforeFirstWrite = (write) => {
      write(first);
      write(new Uint8Array(PRELUDE_END_BYTES));
    };
    return stream;
  }
}

module.exports = { openStream, HttpResponseStream };
