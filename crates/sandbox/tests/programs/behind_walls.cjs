// What functions do in Node.js, done behind a filter of system calls: prints `fine` at the end.
'use strict';

const assert = require('node:assert');
const childProcess = require('node:child_process');
const crypto = require('node:crypto');
const dns = require('node:dns').promises;
const fs = require('node:fs');
const http = require('node:http');
const os = require('node:os');
const path = require('node:path');
const zlib = require('node:zlib');
const { Worker } = require('node:worker_threads');

const inWorker = () =>
  new Promise((resolve, reject) => {
    const worker = new Worker("require('node:worker_threads').parentPort.postMessage(6 * 7)", { eval: true });
    worker.once('message', resolve).once('error', reject);
  });

const overHttp = () =>
  new Promise((resolve, reject) => {
    const server = http.createServer((_, response) => response.end('hello'));
    server.listen(0, '127.0.0.1', () => {
      http
        .get({ port: server.address().port, host: '127.0.0.1' }, (response) => {
          response.setEncoding('utf8').once('data', (text) => server.close(() => resolve(text)));
          response.resume();
        })
        .once('error', reject);
    });
  });

const toChild = () =>
  new Promise((resolve, reject) => {
    const child = childProcess.spawn('cat', { stdio: ['pipe', 'pipe', 'inherit'] });
    child.once('error', reject).stdout.once('data', (bytes) => resolve(bytes.toString()));
    child.stdin.end('hello');
  });

const main = async () => {
  assert.strictEqual(await inWorker(), 42);
  assert.strictEqual(await overHttp(), 'hello');
  // The pipes to a child are a pair of Unix sockets.
  assert.strictEqual(await toChild(), 'hello');
  assert.strictEqual(childProcess.execSync('echo hello').toString(), 'hello\n');
  assert.ok((await dns.lookup('localhost')).address);
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'walls-'));
  try {
    const file = path.join(folder, 'file');
    await fs.promises.writeFile(file, 'hello');
    await fs.promises.copyFile(file, `${file}.copy`);
    await fs.promises.chmod(file, 0o600);
    await fs.promises.symlink(file, `${file}.link`);
    await fs.promises.utimes(file, 1, 1);
    fs.watch(folder).close();
    const read = fs.createReadStream(`${file}.copy`).pipe(zlib.createGzip());
    const parts = [];
    for await (const part of read) parts.push(part);
    assert.strictEqual(zlib.gunzipSync(Buffer.concat(parts)).toString(), 'hello');
    assert.deepStrictEqual((await fs.promises.readdir(folder)).sort(), ['file', 'file.copy', 'file.link']);
  } finally {
    fs.rmSync(folder, { recursive: true });
  }
  const hashed = await new Promise((resolve, reject) =>
    crypto.pbkdf2('secret', 'salt', 10, 16, 'sha256', (error, key) => (error ? reject(error) : resolve(key))),
  );
  assert.strictEqual(hashed.length, 16);
  assert.ok(os.cpus().length > 0 && os.totalmem() > 0 && os.networkInterfaces() && process.memoryUsage().rss > 0);
  await new Promise((resolve) => setTimeout(resolve, 1));
  console.log('fine');
};

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
