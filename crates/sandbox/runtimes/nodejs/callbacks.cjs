// Invocations as up to Node 22: a handler answers by its promise, by its callback or by the methods
// of its context; what it calls back is told when the event loop is empty, unless it says otherwise.
'use strict';

const errors = require('./errors.cjs');
const { load, isStreaming, highWaterMark } = require('./handler.cjs');
const { takeConsole } = require('./log.cjs');
const { openStream } = require('./stream.cjs');

const EXIT_UNCAUGHT = 129;
const EXIT_UNHANDLED = 128;
const EXIT_LOAD_NEVER_ENDS = 13;
// Under these names other tools expect what they hold.
const REQUEST_ID = Symbol.for('aws.lambda.runtime.requestId');
const TENANT_ID = Symbol.for('aws.lambda.runtime.tenantId');
const BEFORE_EXIT = Symbol.for('aws.lambda.beforeExit');

function run(env, client) {
  const logError = takeConsole(
    env,
    () => ({ requestId: global[REQUEST_ID], tenantId: global[TENANT_ID] }),
    false,
  );
  const runtime = new Runtime(env, client, logError);
  process.on('uncaughtException', (error) => {
    logError('Uncaught Exception', error);
    runtime.end(error, EXIT_UNCAUGHT);
  });
  process.on('unhandledRejection', (reason, promise) => {
    const error = new errors.UnhandledPromiseRejection(reason, promise);
    logError('Unhandled Promise Rejection', error);
    runtime.end(error, EXIT_UNHANDLED);
  });
  global[BEFORE_EXIT] = () => process.exit(EXIT_LOAD_NEVER_ENDS);
  process.on('beforeExit', () => global[BEFORE_EXIT]());
  load(env.LAMBDA_TASK_ROOT, env._HANDLER, false).then(
    (handler) => {
      waitForNothing();
      runtime.handler = handler;
      runtime.scheduleNext();
    },
    // A failure to load ends the process as any uncaught exception does.
    (error) =>
      process.nextTick(() => {
        throw error;
      }),
  );
}

class Runtime {
  constructor(env, client, logError) {
    this.env = env;
    this.client = client;
    this.logError = logError;
    this.handler = undefined;
    this.requestId = undefined;
    // How many events have come; ids tell them not apart, since an event that is tried again keeps its own.
    this.turn = 0;
    this.scheduleNext = () => {
      const after = this.turn;
      setImmediate(() => this.serve(after));
    };
  }

  // Tells the error that ends the process: of the invocation if there was one, else of init.
  end(error, code) {
    const body = stringify(errors.posted(error));
    if (this.requestId === undefined) {
      this.client.postInitError(body, errors.posted(error).errorType).then(
        () => process.exit(code),
        () => process.exit(code),
      );
    } else {
      this.client.postError(this.requestId, body, errors.xrayCause(error));
      process.exit(code);
    }
  }

  // Serves the event that follows the one of that turn.
  async serve(after) {
    // An event that was answered twice is followed by one poll.
    if (this.client.isPolling || after !== this.turn) {
      return;
    }
    let event;
    try {
      event = await this.client.next();
    } catch (error) {
      console.log(`Unexpected Top Level Error: ${error}`);
      this.end(error, EXIT_UNCAUGHT);
      return;
    }
    this.turn += 1;
    const id = event.headers['lambda-runtime-aws-request-id'];
    global[REQUEST_ID] = this.requestId = id;
    global[TENANT_ID] = event.headers['lambda-runtime-aws-tenant-id'] || undefined;
    if (isStreaming(this.handler)) {
      await this.serveStream(event, id);
      return;
    }
    const invocation = new Invocation(this, id);
    try {
      // A handler that neither calls back nor promises has answered null when nothing is left.
      global[BEFORE_EXIT] = () => {
        invocation.isAnswered = true;
        this.client.postResult(id, 'null');
        this.scheduleNext();
      };
      const result = this.handler(
        JSON.parse(event.body),
        withFacts(invocation.context, this.env, event.headers),
        invocation.callback,
      );
      if (isPromise(result)) {
        const { succeed, fail } = invocation.context;
        result.then(succeed, fail).catch(fail);
      }
    } catch (error) {
      invocation.callback(error);
    }
  }

  // A handler that streams answers by what it writes; what it returns only says when it is done.
  async serveStream(event, id) {
    const answer = openStream(this.client, id, highWaterMark(this.handler));
    const context = { callbackWaitsForEmptyEventLoop: true };
    const goOn = () => {
      waitForNothing();
      if (context.callbackWaitsForEmptyEventLoop) {
        global[BEFORE_EXIT] = this.scheduleNext;
      } else {
        this.scheduleNext();
      }
    };
    const fail = (error) => {
      this.logError('Invoke Error', error);
      answer.fail(errors.posted(error)).then(goOn);
    };
    // Nothing is left to do and the handler is not done: the poll that follows is refused.
    global[BEFORE_EXIT] = this.scheduleNext;
    try {
      const result = this.handler(
        JSON.parse(event.body),
        answer.stream,
        withFacts(context, this.env, event.headers),
      );
      if (!isPromise(result)) {
        fail('Streaming does not support non-async handlers.');
        return;
      }
      if ((await result) !== undefined) {
        console.warn('Streaming handlers ignore return values.');
      }
      await answer.done;
      if (!answer.stream.writableFinished) {
        fail('Response stream is not finished.');
        return;
      }
      goOn();
    } catch (error) {
      fail(error);
    }
  }
}

// The ways in which one invocation is answered; the first that is taken counts.
class Invocation {
  constructor(runtime, id) {
    this.runtime = runtime;
    this.id = id;
    this.turn = runtime.turn;
    this.isAnswered = false;
    let isDone = false;
    const once =
      (act) =>
      (...given) => {
        if (!isDone) {
          act(...given);
          isDone = true;
        }
      };
    let waitsForEmptyEventLoop = true;
    const done = (error, result) => {
      waitForNothing();
      if (error !== undefined && error !== null) {
        this.fail(error);
      } else {
        this.succeed(result);
      }
    };
    this.callback = once((error, result) => {
      waitForNothing();
      if (error !== undefined && error !== null) {
        this.fail(error);
      } else if (waitsForEmptyEventLoop) {
        global[BEFORE_EXIT] = () => setImmediate(() => this.succeed(result));
      } else {
        this.succeed(result);
      }
    });
    this.context = {
      get callbackWaitsForEmptyEventLoop() {
        return waitsForEmptyEventLoop;
      },
      set callbackWaitsForEmptyEventLoop(value) {
        waitsForEmptyEventLoop = value;
      },
      succeed: once((result) => done(null, result)),
      fail: once((error) => done(error === undefined || error === null ? 'handled' : error, null)),
      done: once(done),
    };
  }

  succeed(result) {
    if (this.isAnswered) {
      console.error(
        'Invocation has already been reported as done. Cannot call complete more than once per invocation.',
      );
      return;
    }
    this.isAnswered = true;
    this.runtime.client.postResult(this.id, stringify(result));
    this.runtime.scheduleNext();
  }

  fail(error) {
    this.runtime.logError('Invoke Error', error);
    if (this.runtime.turn !== this.turn) {
      // Answered long ago: the next event is being worked on.
      return;
    }
    this.runtime.client.postError(
      this.id,
      stringify(errors.posted(error)),
      errors.xrayCause(error),
    );
    this.runtime.scheduleNext();
  }
}

function waitForNothing() {
  global[BEFORE_EXIT] = () => {};
}

function withFacts(context, env, headers) {
  const traceId = headers['lambda-runtime-trace-id'];
  if (traceId) {
    env._X_AMZN_TRACE_ID = traceId;
  } else {
    delete env._X_AMZN_TRACE_ID;
  }
  const deadline = Number(headers['lambda-runtime-deadline-ms']);
  return Object.assign(context, {
    functionVersion: env.AWS_LAMBDA_FUNCTION_VERSION,
    functionName: env.AWS_LAMBDA_FUNCTION_NAME,
    memoryLimitInMB: env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE,
    logGroupName: env.AWS_LAMBDA_LOG_GROUP_NAME,
    logStreamName: env.AWS_LAMBDA_LOG_STREAM_NAME,
    clientContext: parseHeader(headers['lambda-runtime-client-context'], 'ClientContext'),
    identity: parseHeader(headers['lambda-runtime-cognito-identity'], 'CognitoIdentity'),
    invokedFunctionArn: headers['lambda-runtime-invoked-function-arn'],
    awsRequestId: headers['lambda-runtime-aws-request-id'],
    tenantId: headers['lambda-runtime-aws-tenant-id'] || undefined,
    getRemainingTimeInMillis: () => deadline - Date.now(),
  });
}

function parseHeader(text, name) {
  if (!text) {
    return undefined;
  }
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new Error(`Cannot parse ${name} as json: ${error}`);
  }
}

function stringify(value) {
  let text;
  try {
    text = JSON.stringify(value === undefined ? null : value);
  } catch {
    throw new Error('Unable to stringify response body');
  }
  return nativeString(text);
}

// The official client hands its native part a string; what JSON.stringify leaves out is none.
function nativeString(text) {
  if (typeof text !== 'string') {
    throw new TypeError('Wrong arguments');
  }
  return text;
}

function isPromise(thing) {
  return thing && thing.then && typeof thing.then === 'function';
}

module.exports = { run };
