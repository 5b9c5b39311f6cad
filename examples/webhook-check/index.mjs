// Answers GitHub's webhooks: proves that a delivery really comes from GitHub, then says what is to be done about it.
// The event is that of a function URL or an HTTP API (payload format 2.0).

import { createHmac, timingSafeEqual } from 'node:crypto';

const secret = process.env.WEBHOOK_SECRET;
if (!secret) {
  throw new Error('WEBHOOK_SECRET is not set');
}

export const handler = async (event) => {
  // The signature covers the bytes as they were sent: they are checked before anything reads them.
  const body = Buffer.from(event.body ?? '', event.isBase64Encoded ? 'base64' : 'utf8');
  if (!isSigned(body, header(event, 'x-hub-signature-256'))) {
    console.warn('refused: the signature is missing or wrong');
    return answer(401, { error: 'the signature is missing or wrong' });
  }
  let delivery;
  try {
    delivery = JSON.parse(body);
  } catch (error) {
    return answer(400, { error: `the body is not JSON: ${error.message}` });
  }
  const name = header(event, 'x-github-event');
  const todo = decide(name, delivery ?? {});
  console.info(`${name}: ${todo.action}`);
  return answer(200, todo);
};

/** Is `signature` what only a holder of the secret can have computed for this body? */
function isSigned(body, signature = '') {
  const expected = Buffer.from(`sha256=${createHmac('sha256', secret).update(body).digest('hex')}`);
  const given = Buffer.from(signature);
  // An ordinary comparison stops at the first difference, and its duration tells a forger how far he got.
  return given.length === expected.length && timingSafeEqual(given, expected);
}

/** What a delivery asks for. */
function decide(name, { action, ref, after, deleted, pull_request: pull, release, repository = {} }) {
  switch (name) {
    case 'ping':
      return { action: 'none', reason: 'GitHub greets a new webhook' };
    case 'push':
      if (ref === `refs/heads/${repository.default_branch}` && !deleted) {
        return { action: 'deploy', repository: repository.full_name, commit: after };
      }
      return { action: 'none', reason: `${ref} is not deployed` };
    case 'pull_request':
      if (['opened', 'reopened', 'synchronize'].includes(action)) {
        return { action: 'test', repository: repository.full_name, commit: pull?.head?.sha };
      }
      return { action: 'none', reason: `a pull request was ${action}` };
    case 'release':
      if (action === 'published') {
        return { action: 'announce', repository: repository.full_name, release: release?.tag_name };
      }
      return { action: 'none', reason: `a release was ${action}` };
    default:
      return { action: 'none', reason: `nobody waits for ${name}` };
  }
}

/** A header by its lower-case name: function URLs lower the names, older callers do not. */
function header(event, name) {
  return Object.entries(event.headers ?? {}).find(([key]) => key.toLowerCase() === name)?.[1];
}

function answer(statusCode, body) {
  return { statusCode, headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) };
}
