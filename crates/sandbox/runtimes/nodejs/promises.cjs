// Invocations as since Node 24: a handler takes an event and a context, and what it returns, or the
// promise of it, is the answer; errors outside of it end the process.
'use strict';

const errors = require('./errors.cjs');
const { load, isStreaming, highWaterMark } = require('./handler.cjs');
const { takeConsole } = require('./log.cjs');
const { openStream } = require('./stream.cjs');

const REQUEST_ID = Symbol.for('_AWS_LAMBDA_REQUEST_ID');
const TRACE_ID = Symbol.for('_AWS_LAMBDA_X_RAY_TRACE_ID');
const TENANT_ID = Symbol.for('_AWS_LAMBDA_TENANT_ID');

const CALLBACK_REMOVED =
  'ERROR: AWS Lambda has removed support for callback-based function handlers starting with ' +
  'Node.js 24. You need to modify this function to use a supported handler signature to use ' +
  'Node.js 24 or later. For more information see ' +
  'https://docs.aws.amazon.com/lambda/latest/dg/nodejs-handler.html.';

async function run(env, client) {
  const store = shareStore();
  const logError = takeConsole(
    env,
    () => ({ requestId: store.getRequestId(), tenantId: store.getTenantId() || undefined }),
    true,
  );
  const handler = await loadOrTell(env, client, logError);
  for (;;) {
    const event = await client.next();
    const id = event.headers['lambda-runtime-aws-request-id'];
    const context = makeContext(env, event.headers);
    const input = JSON.parse(event.body);
    await store.run({ [REQUEST_ID]: id, [TRACE_ID]: context.xRayTraceId }, async () => {
      if (isStreaming(handler)) {
        await stream(handler, input, context, openStream(client, id, highWaterMark(handler)), logError);
        return;
      }
      try {
        const result = stringify(await settled(handler(input, context)));
        client.postResult(id, result);
      } catch (error) {
        await loopTurn();
        logError('Invoke Error', error);
        client.postError(id, stringify(errors.postedModern(error)), errors.xrayCause(error));
      }
    });
  }
}

// The name that stack traces show of a handler without one of its own.
class StreamingInvokeProcessor {
  constructor(handler) {
    this.handler = handler;
  }
}

// A handler that streams answers by what it writes; what it returns only says when it is done.
async function stream(handler, input, context, answer, logError) {
  try {
    const result = new StreamingInvokeProcessor(handler).handler(input, answer.stream, context);
    if (typeof result !== 'object' || result === null || typeof result.then !== 'function') {
      throw new Error('Streaming does not support non-async handlers.');
    }
    if ((await result) !== undefined) {
      console.warn('Streaming handlers ignore return values.');
    }
    await answer.done;
    if (!answer.stream.writableFinished) {
      throw new Error('Response stream is not finished.');
    }
  } catch (error) {
    await loopTurn();
    logError('Invoke Error', error instanceof errors.InvalidStreamingOperation ? ownName(error) : error);
    await answer.fail(errors.postedModern(error));
  }
}

async function settled(result) {
  const value = await result;
  await loopTurn();
  return value;
}

// What a handler wrote or scheduled just before it ended comes before its answer.
function loopTurn() {
  return new Promise((resolve) => setImmediate(resolve));
}

async function loadOrTell(env, client, logError) {
  try {
    const handler = await load(env.LAMBDA_TASK_ROOT, env._HANDLER, true);
    if (handler.length >= 3 && !isStreaming(handler)) {
      throw new errors.CallbackHandlerDeprecated(CALLBACK_REMOVED);
    }
    return handler;
  } catch (error) {
    ownName(error);
    logError('Init Error', error);
    const told = errors.postedModern(error);
    await client.postInitError(stringify(told), told.errorType);
    throw error;
  }
}

// The store of the invocation's facts, by which AWS's SDK and tools find the trace id.
function shareStore() {
  const store = new InvokeStore();
  if (globalThis.awslambda === undefined) {
    return store;
  }
  globalThis.awslambda.InvokeStore = globalThis.awslambda.InvokeStore || store;
  return globalThis.awslambda.InvokeStore;
}

class InvokeStore {
  getContext() {
    return this.currentContext;
  }

  hasContext() {
    return this.currentContext !== undefined;
  }

  get(key) {
    return this.currentContext?.[key];
  }

  set(key, value) {
    if (this.isProtectedKey(key)) {
      throw new Error(`Cannot modify protected Lambda context field: ${String(key)}`);
    }
    this.currentContext = this.currentContext || {};
    this.currentContext[key] = value;
  }

  run(context, act) {
    this.currentContext = context;
    return act();
  }

  isProtectedKey(key) {
    return key === REQUEST_ID || key === TRACE_ID || key === TENANT_ID;
  }

  getRequestId() {
    return this.get(REQUEST_ID) ?? '-';
  }

  getXRayTraceId() {
    return this.get(TRACE_ID);
  }

  getTenantId() {
    return this.get(TENANT_ID);
  }
}

function makeContext(env, headers) {
  const deadline = parseInt(headers['lambda-runtime-deadline-ms'], 10);
  const traceId = headers['lambda-runtime-trace-id'];
  const context = {
    clientContext: parseHeader(headers, 'lambda-runtime-client-context'),
    identity: parseHeader(headers, 'lambda-runtime-cognito-identity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'],
    xRayTraceId: traceId ?? '',
    getRemainingTimeInMillis: () => deadline - Date.now(),
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
  };
  if (traceId) {
    env._X_AMZN_TRACE_ID = traceId;
  } else {
    delete env._X_AMZN_TRACE_ID;
  }
  return context;
}

function parseHeader(headers, name) {
  if (!headers[name]) {
    return undefined;
  }
  try {
    return JSON.parse(headers[name]);
  } catch (error) {
    const told = new Error(`Failed to parse ${name} as JSON: ${error.message}`);
    told.name = 'Runtime.PlatformError';
    throw told;
  }
}

function stringify(value) {
  let text;
  try {
    text = JSON.stringify(value === undefined ? null : value);
  } catch {
    throw ownName(new errors.JSONStringifyError('Unable to stringify response body'));
  }
  if (typeof text !== 'string') {
    throw new TypeError('Wrong arguments');
  }
  return text;
}

// The official client's own errors carry their name as a field, and so it is logged.
function ownName(error) {
  if (error instanceof Error && error.name.startsWith('Runtime.')) {
    error.name = String(error.name);
  }
  return error;
}

module.exports = { run };
