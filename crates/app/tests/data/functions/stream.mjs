// A function that streams, and does what its event asks for. Where the event has a port, whoever listens there is told
// how far it is, and may hold it up.
import { once } from 'node:events';
import { createConnection } from 'node:net';

let count = 0;

const deeds = {
  // The second piece is sent when the listener has said so.
  hold: async (event, stream) => {
    stream.write('first');
    const listener = createConnection(event.port, '127.0.0.1');
    await once(listener, 'data');
    listener.end();
    stream.write('second');
    stream.end();
  },
  echo: async (event, stream) => {
    for (const piece of event.pieces) {
      stream.write(piece);
    }
    stream.end();
  },
  http: async (event, stream) => {
    const http = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' } });
    http.write('body');
    http.end();
  },
  // Tells a byte for each MiB that was taken.
  much: async (event, stream) => {
    const listener = createConnection(event.port, '127.0.0.1');
    const mib = Buffer.alloc(1 << 20, 'x');
    for (let sent = 0; sent < event.mib; sent++) {
      if (!stream.write(mib)) {
        await once(stream, 'drain');
      }
      listener.write('.');
    }
    stream.end();
    await once(stream, 'finish');
    await new Promise((told) => listener.end('!', told));
  },
  count: async (event, stream) => {
    count += 1;
    stream.end(String(count));
  },
  fail_early: async () => {
    throw new RangeError('early');
  },
  fail_late: async (event, stream) => {
    stream.write('half');
    throw new RangeError('late');
  },
  exit: async (event, stream) => {
    await new Promise((written) => stream.write('half', written));
    process.exit(3);
  },
  hang: async (event, stream) => {
    stream.write('half');
    await new Promise((resolve) => setTimeout(resolve, 1e6));
  },
};

export const handler = awslambda.streamifyResponse((event, stream) => deeds[event.do](event, stream));
