// A function that does what the end-to-end tests ask for: `do` in its event names it. The Python one beside it does
// the same.
import { spawn } from 'node:child_process';
import { readdirSync, writeFileSync, writeSync } from 'node:fs';

const init = process.env.INIT ?? '';
let count = 0;

if (init) console.log('initialising');
if (init === 'raise') throw new RangeError('no start today');
if (init === 'exit 0') process.exit(0);
if (init === 'exit 3') process.exit(3);
if (init === 'signal') {
  process.kill(process.pid, 'SIGSEGV');
  await new Promise((resolve) => setInterval(resolve, 1e6));
}

class Mishap extends Error {
  name = 'Mishap';
}

export const handler = async (event, context) => {
  count += 1;
  return event?.do ? tasks[event.do](event, context) : event;
};

const tasks = {
  echo: (event) => event.value,
  nothing: () => {},
  context: (_event, context) => ({
    function: context.functionName,
    version: context.functionVersion,
    arn: context.invokedFunctionArn,
    memory: context.memoryLimitInMB,
    id: context.awsRequestId,
    group: context.logGroupName,
    stream: context.logStreamName,
    remaining: context.getRemainingTimeInMillis(),
    client: context.clientContext
      ? {
          custom: context.clientContext.custom,
          env: context.clientContext.env,
          title: context.clientContext.client.app_title,
        }
      : null,
    identity: context.identity ?? null,
    trace: process.env._X_AMZN_TRACE_ID,
  }),
  environment: () => ({ ...process.env }),
  log: () => {
    process.stdout.write('printed\n');
    process.stdout.write('another\rline\n');
    process.stderr.write('to standard error\n');
    console.log('informed of %d', 7);
    console.error('two\nlines');
  },
  raise: () => {
    process.stdout.write('before\n');
    throw new Mishap('it went wrong: ä');
  },
  exit: (event) => {
    process.stdout.write('leaving\n');
    process.exit(event.status);
  },
  signal: (event) => {
    process.kill(process.pid, event.signal);
    return new Promise((resolve) => setInterval(resolve, 1e6));
  },
  wait: () => {
    process.stdout.write('waiting\n');
    return new Promise((resolve) => setInterval(() => resolve, 1e6));
  },
  count: () => count,
  answer: (event) => 'x'.repeat(event.characters),
  measure: (event) => event.value.length,
  files: () => {
    let written = 'written';
    try {
      writeFileSync('/var/task/new', '');
    } catch (error) {
      written = -error.errno;
    }
    return { folder: process.cwd(), task: readdirSync('/var/task').sort(), written };
  },
  keep: (event) => writeFileSync(`/tmp/${event.name}`, 'kept'),
  kept: () => readdirSync('/tmp').sort(),
  leave_behind: (event) => {
    const script = `exec 3<>"/dev/tcp/127.0.0.1/${event.port}"; printf alive >&3; exec sleep 1000`;
    spawn('bash', ['-c', script], { detached: true, stdio: 'ignore' }).unref();
  },
  write: (event) => {
    writeSync(1, Buffer.from(event.bytes));
  },
  flood: async (event) => {
    // What is written to standard output itself may wait in the process; what is logged may not, see `log_and_exit`.
    const text = ('x'.repeat(99) + '\n').repeat(event.lines);
    await new Promise((resolve) => process.stdout.write(text, resolve));
  },
  log_and_exit: (event) => {
    for (let line = 1; line <= event.lines; line += 1) console.log('x'.repeat(99));
    console.log('the last line');
    process.exit(3);
  },
};
