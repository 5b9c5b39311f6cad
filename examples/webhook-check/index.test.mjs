import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';

// Secret, body and signature of GitHub's manual, "Validating webhook deliveries".
process.env.WEBHOOK_SECRET = "It's a Secret to Everybody";
const published = {
  body: 'Hello, World!',
  signature: 'sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17',
};
const { handler } = await import('./index.mjs');

const sign = (body) => `sha256=${createHmac('sha256', process.env.WEBHOOK_SECRET).update(body).digest('hex')}`;

async function deliver(name, delivery, changes = {}) {
  const body = JSON.stringify(delivery);
  const headers = { 'x-github-event': name, 'x-hub-signature-256': sign(body) };
  const { statusCode, body: text } = await handler({ headers, body, isBase64Encoded: false, ...changes });
  return [statusCode, JSON.parse(text)];
}

test('the event of the README is a deployment', async () => {
  const event = JSON.parse(readFileSync(new URL('./event.json', import.meta.url), 'utf8'));
  const { statusCode, body } = await handler(event);
  assert.equal(statusCode, 200);
  assert.equal(JSON.parse(body).action, 'deploy');
});

test('the published signature is accepted: only the body, not being JSON, is refused', async () => {
  const headers = { 'X-Hub-Signature-256': published.signature };
  assert.equal((await handler({ headers, body: published.body })).statusCode, 400);
  const body = Buffer.from(published.body).toString('base64');
  assert.equal((await handler({ headers, body, isBase64Encoded: true })).statusCode, 400);
});

test('without the right signature nothing is read', async () => {
  const other = sign('another body');
  for (const signature of [undefined, '', 'sha256=', other, other.toUpperCase(), other.slice(7), `${other}0`]) {
    const headers = { 'x-github-event': 'push', 'x-hub-signature-256': signature };
    assert.equal((await deliver('push', {}, { headers }))[0], 401, signature);
  }
  assert.equal((await handler({})).statusCode, 401);
});

test('each kind of delivery asks for something else', async () => {
  const repository = { full_name: 'octo/site', default_branch: 'trunk' };
  const cases = [
    ['ping', { zen: 'Speak like a human.' }, 'none'],
    ['push', { ref: 'refs/heads/trunk', after: 'c0ffee', repository }, 'deploy'],
    ['push', { ref: 'refs/heads/trunk', deleted: true, repository }, 'none'],
    ['push', { ref: 'refs/heads/idea', after: 'c0ffee', repository }, 'none'],
    ['pull_request', { action: 'opened', pull_request: { head: { sha: 'c0ffee' } }, repository }, 'test'],
    ['pull_request', { action: 'closed', repository }, 'none'],
    ['release', { action: 'published', release: { tag_name: 'v2' }, repository }, 'announce'],
    ['release', { action: 'deleted', repository }, 'none'],
    ['push', null, 'none'],
    ['star', { action: 'created', repository }, 'none'],
  ];
  for (const [name, delivery, action] of cases) {
    const [status, todo] = await deliver(name, delivery);
    assert.deepEqual([status, todo.action], [200, action], `${name} ${JSON.stringify(delivery)}`);
  }
});
