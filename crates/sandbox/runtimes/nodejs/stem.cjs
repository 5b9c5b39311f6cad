// A stem: this process booted before its function is known, and what makes it the function's. Nothing here looks into
// the folders of a function, so that nothing is remembered as missing; what is loaded beforehand is Node's own, which no
// module of a function can stand in for.
'use strict';

const fs = require('fs');
const http = require('http');
const Module = require('module');

const { Client } = require('./wire.cjs');

// Whence comes what describes the function: one line of JSON, {"variables": {...}, "folder": "..."}.
const DESCRIPTOR = 3;
const READ_BYTES = 65536;
const NEWLINE = 10;
// What functions and AWS's SDK load first of Node's own.
const OFTEN_LOADED = [
  'assert', 'async_hooks', 'buffer', 'child_process', 'crypto', 'dns', 'events', 'fs/promises', 'https', 'os', 'path',
  'querystring', 'stream', 'stream/promises', 'string_decoder', 'timers/promises', 'tls', 'url', 'util', 'zlib',
];
const EXCHANGES = 3;
const EVENT = '{"a":[1,2.5,null,"é"]}';

// Boots, and calls `main` when this process is the function's; ends it when there will be none.
function wait({ main, prepare }) {
  prepare();
  for (const name of OFTEN_LOADED) {
    require(name);
  }
  // It is colder without, nothing else.
  warmUp().catch(() => {}).then(() => {
    globalThis.gc?.();
    // A turn of its own: nothing that is left to do runs in the middle of a function's start.
    setImmediate(() => {
      const line = readLine();
      if (line === undefined) {
        // Whoever kept it is gone, or has no use for it.
        process.exit(0);
      }
      const { variables, folder } = JSON.parse(line);
      become(variables, folder);
      setImmediate(main);
    });
  });
}

// Exchanges some events with a Runtime API of its own, as the client does and as Node's own client does, and imports
// an ES module, so that neither is done for the first time by a function.
async function warmUp() {
  await import('data:text/javascript,');
  const listeners = process.listeners('exit');
  const server = http.createServer((request, response) => {
    request.resume().on('end', () => {
      response.sendDate = false;
      response.writeHead(200, {
        'Lambda-Runtime-Aws-Request-Id': 'warm',
        'Content-Type': 'application/json',
        'Content-Length': Buffer.byteLength(EVENT),
      });
      response.end(EVENT);
    });
  });
  await new Promise((resolve, reject) => server.on('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  const client = new Client(`127.0.0.1:${port}`, true);
  const agent = new http.Agent({ keepAlive: true });
  for (let turn = 0; turn < EXCHANGES; turn++) {
    await request({ agent, port });
    const event = await client.next();
    if (turn + 1 < EXCHANGES) {
      client.postResult('warm', JSON.stringify(JSON.parse(event.body)));
    }
  }
  client.socket.destroy();
  agent.destroy();
  await new Promise((resolve) => server.close(resolve));
  for (const listener of process.listeners('exit').filter((one) => !listeners.includes(one))) {
    process.removeListener('exit', listener);
  }
}

function request({ agent, port }) {
  return new Promise((resolve, reject) => {
    const sent = http.request({ host: '127.0.0.1', port, agent, method: 'POST' }, (response) =>
      response.resume().on('end', resolve).on('error', reject),
    );
    sent.on('error', reject);
    sent.end(EVENT);
  });
}

// Without the event loop: nothing may happen in a process that waits, perhaps for hours.
function readLine() {
  const chunks = [];
  for (;;) {
    const chunk = Buffer.allocUnsafe(READ_BYTES);
    const count = fs.readSync(DESCRIPTOR, chunk);
    if (count === 0) {
      return undefined;
    }
    chunks.push(chunk.subarray(0, count));
    if (chunk[count - 1] === NEWLINE) {
      fs.closeSync(DESCRIPTOR);
      return Buffer.concat(chunks).toString();
    }
  }
}

// By way of process.env, so that native code and child processes see them too, and Node a change of TZ.
function become(variables, folder) {
  for (const name of Object.keys(process.env).filter((name) => !(name in variables))) {
    delete process.env[name];
  }
  for (const [name, value] of Object.entries(variables)) {
    if (process.env[name] !== value) {
      process.env[name] = value;
    }
  }
  process.chdir(folder);
  // They are below HOME too.
  Module._initPaths();
  // An ordinary start has not loaded it.
  delete require.cache[__filename];
}

module.exports = { wait };
