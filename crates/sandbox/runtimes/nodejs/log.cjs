// The console of a function: each line with its time, request id and level, or as JSON.
'use strict';

const fs = require('fs');
const { format } = require('util');

const { intoError, logged, stackLines } = require('./errors.cjs');

const FRAME_TEXT = 0xa55a0003;
const FRAME_JSON = 0xa55a0002;
const LEVELS = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];

// Takes over `console`. `current` says at each line whose it is: { requestId, tenantId }. Returns
// how the runtime itself tells an error. `isModern`: since Node 24 a level also holds back `fatal`.
function takeConsole(env, current, isModern) {
  const isJson = (env.AWS_LAMBDA_LOG_FORMAT || '').toUpperCase() === 'JSON';
  const least = Math.max(LEVELS.indexOf((env.AWS_LAMBDA_LOG_LEVEL || '').toUpperCase()), 0);
  const put = makeSink(env, isJson);
  const line = isJson ? jsonLine : textLine;
  LEVELS.forEach((level, rank) => {
    const isHeard = rank >= least || (level === 'FATAL' && !isModern);
    console[level.toLowerCase()] = isHeard
      ? (message, ...more) => {
          const now = new Date();
          put(line(now.toISOString(), current(), level, [message, ...more]), rank, now);
        }
      : () => {};
  });
  console.log = console.info;
  return isJson
    ? (_what, error) => console.error(intoError(error, isModern))
    : (what, error) => console.error(what, logged(intoError(error, isModern)));
}

function makeSink(env, isJson) {
  const given = env._LAMBDA_TELEMETRY_LOG_FD;
  delete env._LAMBDA_TELEMETRY_LOG_FD;
  const fd = parseInt(given, 10);
  if (!(fd >= 0)) {
    return (text) => {
      const out = process.stdout;
      // AWS's descriptor for logs is written at once, so a line logged before the process ends is never lost; a pipe
      // that is full would keep it waiting in here. Each time, since whoever opens stderr, the same pipe, undoes it.
      out._handle?.setBlocking?.(true);
      // A carriage return does not end a log event, so what has many lines stays one.
      out.write(text.replace(/\n/g, '\r') + '\n');
    };
  }
  // Frames on a descriptor: type, length, microseconds since the epoch (big-endian), message.
  return (text, rank, now) => {
    const message = Buffer.from(isJson ? text : text + '\n', 'utf8');
    const frame = Buffer.alloc(16);
    frame.writeUInt32BE((isJson ? FRAME_JSON : FRAME_TEXT) + 4 * (rank + 1), 0);
    frame.writeUInt32BE(message.length, 4);
    frame.writeBigInt64BE(BigInt(now.valueOf()) * 1000n, 8);
    fs.writeSync(fd, Buffer.concat([frame, message]));
  };
}

function textLine(time, { requestId }, level, words) {
  return `${time}\t${requestId}\t${level}\t${format(...words)}`;
}

function jsonLine(timestamp, { requestId, tenantId }, level, words) {
  const line = { timestamp, level, requestId };
  if (tenantId !== undefined && tenantId !== null) {
    line.tenantId = tenantId;
  }
  if (words.length === 1) {
    try {
      return JSON.stringify({ ...line, message: words[0] }, (_key, value) => withFields(value));
    } catch {
      return JSON.stringify({ ...line, message: format(words[0]) });
    }
  }
  line.message = format(...words);
  const error = words.find((word) => word instanceof Error);
  if (error !== undefined) {
    Object.assign(line, errorFields(error));
  }
  return JSON.stringify(line);
}

function withFields(value) {
  return value instanceof Error ? Object.assign(errorFields(value), value) : value;
}

function errorFields(error) {
  return {
    errorType: error.constructor?.name ?? 'UnknownError',
    errorMessage: error.message,
    stackTrace: typeof error.stack === 'string' ? stackLines(error) : [],
  };
}

module.exports = { takeConsole };
