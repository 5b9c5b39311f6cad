// HTTP/1.1 towards the Runtime API over one kept-alive socket. An answer and the poll for the next
// event leave in one write. Never here: what an event means.
'use strict';

const fs = require('fs');
const net = require('net');

const API = '/2018-06-01/runtime';
const READ_BYTES = 65536;
// An answer above this size is refused (413) by the Runtime API; the poll waits for that verdict.
const ANSWER_BYTES_MAX = 6 * 1024 * 1024 + 100;
const HEAD_END = '\r\n\r\n';

class Client {
  // `tellsRefusal`: whether the line about a refused answer repeats what the Runtime API said.
  constructor(address, tellsRefusal) {
    this.tellsRefusal = tellsRefusal;
    const colon = address.lastIndexOf(':');
    this.host = address.slice(0, colon);
    this.port = Number(address.slice(colon + 1));
    this.hostLine = `host: ${address}\r\n`;
    this.nextRequest = this.request('GET', '/invocation/next', '');
    this.socket = undefined;
    // The answer that waits to leave together with the next poll.
    this.unsent = undefined;
    this.reader = new Reader();
    // Responses that nobody has asked for yet, or who asked before one came.
    this.arrived = [];
    this.waiting = undefined;
    this.failure = undefined;
    // From the poll for an event until it comes, nothing else can be said: what follows a poll is heard only after
    // its event, and would be answered with it.
    this.isPolling = false;
    process.on('exit', () => this.flushNow());
  }

  // Resolves with the next event: { status, headers, body }.
  async next() {
    const answer = this.unsent;
    this.unsent = undefined;
    // The poll keeps the process alive; while the handler runs only its own work does.
    this.open().ref();
    if (answer === undefined) {
      this.poll(this.nextRequest);
    } else if (answer.isTooLarge) {
      this.send(answer.head, answer.body);
      this.check(await this.response());
      this.poll(this.nextRequest);
    } else {
      this.poll(answer.head, answer.body, this.nextRequest);
      this.check(await this.response());
    }
    const event = await this.response();
    this.isPolling = false;
    this.socket.unref();
    if (event.status < 200 || event.status > 299) {
      report(`Failed to get next invocation. Http Response code: ${event.status}`);
      throw new Error(`Failed to get next invocation, error ${event.status}`);
    }
    return event;
  }

  postResult(id, body) {
    this.answer(id, 'response', body, '');
  }

  postError(id, body, xrayCause) {
    const cause = oneLine(xrayCause);
    this.answer(
      id,
      'error',
      body,
      cause === '' ? '' : `lambda-runtime-function-xray-error-cause: ${cause}\r\n`,
    );
  }

  async postInitError(body, errorType) {
    if (this.isPolling) {
      return;
    }
    const bytes = Buffer.from(body);
    const lines =
      'content-type: application/json\r\n' +
      `lambda-runtime-function-error-type: ${oneLine(String(errorType))}\r\n`;
    this.open().ref();
    this.send(this.request('POST', '/init/error', lines, bytes.length), bytes);
    await this.response();
    this.socket.unref();
  }

  // Sends the answer that waits, if any, without the event loop: the process is about to end.
  flushNow() {
    const answer = this.unsent;
    this.unsent = undefined;
    if (answer === undefined || this.socket === undefined) {
      return;
    }
    const handle = this.socket._handle;
    if (handle && handle.fd >= 0) {
      exchangeNow(handle.fd, Buffer.concat([answer.head, answer.body]));
    }
  }

  answer(id, kind, body, lines) {
    // To an event that has been answered: the Runtime API would refuse it, after the next event.
    if (this.isPolling) {
      return;
    }
    const bytes = Buffer.from(body);
    const path = `/invocation/${encodeURIComponent(id)}/${kind}`;
    const head = this.request(
      'POST',
      path,
      'content-type: application/json\r\n' + lines,
      bytes.length,
    );
    this.flushNow();
    this.unsent = { head, body: bytes, isTooLarge: bytes.length > ANSWER_BYTES_MAX };
  }

  request(method, path, lines, length) {
    const size = length === undefined ? '' : `content-length: ${length}\r\n`;
    return Buffer.from(`${method} ${API}${path} HTTP/1.1\r\n${this.hostLine}${lines}${size}\r\n`);
  }

  poll(...parts) {
    this.isPolling = true;
    this.send(...parts);
  }

  send(...parts) {
    this.socket.write(parts.length === 1 ? parts[0] : Buffer.concat(parts));
  }

  // A refused answer is told and otherwise ignored, as the official client does.
  check({ status, body }) {
    if (status < 200 || status > 299) {
      const why = this.tellsRefusal ? ` ${body}` : '';
      report(`Failed to post handler success response. Http response code: ${status}.${why}`);
    }
  }

  response() {
    return new Promise((resolve, reject) => {
      const early = this.arrived.shift();
      if (early !== undefined) {
        resolve(early);
      } else if (this.failure !== undefined) {
        reject(this.failure);
      } else {
        this.waiting = { resolve, reject };
      }
    });
  }

  open() {
    if (this.socket === undefined) {
      this.connect();
    }
    return this.socket;
  }

  connect() {
    const socket = net.connect({
      host: this.host,
      port: this.port,
      noDelay: true,
      onread: {
        buffer: Buffer.allocUnsafeSlow(READ_BYTES),
        callback: (count, buffer) => {
          this.reader.add(buffer, count);
          for (let got = this.reader.take(); got !== undefined; got = this.reader.take()) {
            this.arrived.push(got);
          }
          if (this.waiting !== undefined && this.arrived.length > 0) {
            const { resolve } = this.waiting;
            this.waiting = undefined;
            resolve(this.arrived.shift());
          }
          return true;
        },
      },
    });
    socket.setNoDelay(true);
    socket.on('error', (error) => this.fail(error));
    socket.on('close', () => this.fail(new Error('Failed to get next invocation, error -1')));
    this.socket = socket;
  }

  fail(error) {
    if (this.failure === undefined) {
      this.failure = error;
      if (this.waiting !== undefined) {
        this.waiting.reject(error);
      }
    }
  }
}

// Puts together responses from what arrives in pieces.
class Reader {
  constructor() {
    this.unread = Buffer.alloc(0);
    this.head = undefined;
    this.body = undefined;
    this.filled = 0;
  }

  add(buffer, count) {
    let start = 0;
    if (this.body !== undefined && this.filled < this.body.length) {
      start = Math.min(count, this.body.length - this.filled);
      buffer.copy(this.body, this.filled, 0, start);
      this.filled += start;
    }
    if (start < count) {
      this.unread = Buffer.concat([this.unread, buffer.subarray(start, count)]);
    }
  }

  take() {
    if (this.head === undefined && !this.takeHead()) {
      return undefined;
    }
    const isDone = this.body === undefined ? this.takeChunks() : this.filled === this.body.length;
    if (!isDone) {
      return undefined;
    }
    const { status, headers } = this.head;
    const body = this.body;
    this.head = this.body = undefined;
    return { status, headers, body };
  }

  takeHead() {
    const end = this.unread.indexOf(HEAD_END);
    if (end < 0) {
      return false;
    }
    const lines = this.unread.toString('utf8', 0, end).split('\r\n');
    this.unread = this.unread.subarray(end + HEAD_END.length);
    const headers = {};
    for (let i = 1; i < lines.length; i++) {
      const colon = lines[i].indexOf(':');
      headers[lines[i].slice(0, colon).toLowerCase()] = lines[i].slice(colon + 1).trim();
    }
    this.head = { status: Number(lines[0].split(' ')[1]), headers };
    this.chunks = [];
    if ((headers['transfer-encoding'] || '').toLowerCase() !== 'chunked') {
      this.body = Buffer.allocUnsafeSlow(Number(headers['content-length'] || 0));
      this.filled = Math.min(this.unread.length, this.body.length);
      this.unread.copy(this.body, 0, 0, this.filled);
      this.unread = this.unread.subarray(this.filled);
    }
    return true;
  }

  takeChunks() {
    for (;;) {
      const line = this.unread.indexOf('\r\n');
      if (line < 0) {
        return false;
      }
      const size = parseInt(this.unread.toString('latin1', 0, line), 16);
      const end = line + 2 + size + 2;
      if (this.unread.length < end) {
        return false;
      }
      this.chunks.push(Buffer.from(this.unread.subarray(line + 2, line + 2 + size)));
      this.unread = this.unread.subarray(end);
      if (size === 0) {
        this.body = Buffer.concat(this.chunks);
        this.filled = this.body.length;
        return true;
      }
    }
  }
}

function oneLine(text) {
  return text.replace(/[\r\n]/g, ' ');
}

function report(text) {
  // The official client's native part writes this line to standard output.
  process.stdout.write(`[ERROR] [${Date.now()}] LAMBDA_RUNTIME ${text}\n`);
}

// Writes a request and waits for the first bytes of its response, without the event loop.
function exchangeNow(fd, bytes) {
  const patience = new Int32Array(new SharedArrayBuffer(4));
  const insist = (act) => {
    for (;;) {
      try {
        return act();
      } catch (error) {
        if (error.code !== 'EAGAIN') {
          return undefined;
        }
        Atomics.wait(patience, 0, 0, 1);
      }
    }
  };
  for (let sent = 0; sent < bytes.length; ) {
    const count = insist(() => fs.writeSync(fd, bytes, sent));
    if (count === undefined) {
      return;
    }
    sent += count;
  }
  insist(() => fs.readSync(fd, Buffer.alloc(READ_BYTES)));
}

module.exports = { Client };
