//! The Node client, in both of its manners: up to Node 22 AWS runs aws-lambda-ric 3.x, since Node 24
//! it runs 4.x. Both can be had with the interpreter that is here.

use std::path::PathBuf;

use sandbox::clients;

use super::run::{Case, Program, answers_and_polls_in_one_write, case, compare, lay_out, run};
use super::test_tools;

/// As AWS's entry of 3.x does it.
const START_3: &str = "const { run } = await import(process.argv[2]);\n\
    await run(process.env.LAMBDA_TASK_ROOT, process.env._HANDLER);\n";

#[tokio::test]
async fn nodejs_with_callbacks_does_as_the_official_client() {
    let test = "nodejs_with_callbacks_does_as_the_official_client";
    let (Some(tools), Some(version)) = (test_tools(test), node_version(test)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let client = tools.join("node_modules/aws-lambda-ric-3/dist/index.mjs");
    let start = folder.path().join("start.mjs");
    std::fs::write(&start, START_3).unwrap();
    let official = node(version, 20, |arguments| {
        arguments.extend([start, client].map(|path| path.to_str().unwrap().to_owned()));
    });
    let mut cases = cases();
    cases.extend(callback_cases());
    compare(&cases, &ours(version, 20, &folder), &official).await;
}

#[tokio::test]
async fn nodejs_with_promises_does_as_the_official_client() {
    let test = "nodejs_with_promises_does_as_the_official_client";
    let (Some(tools), Some(version)) = (test_tools(test), node_version(test)) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let client = tools.join("node_modules/aws-lambda-ric/index.mjs");
    let official = node(version, 24, |arguments| {
        arguments.push(client.to_str().unwrap().to_owned());
    });
    let mut cases = cases();
    cases.extend(promise_cases());
    compare(&cases, &ours(version, 24, &folder), &official).await;
}

#[tokio::test]
async fn the_node_found_serves() {
    let Some(version) = node_version("the_node_found_serves") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let case = js(
        "serves",
        "exports.handler = async (event, context) => {\n  \
           console.log('seen', event);\n  \
           if (!event.name) throw new RangeError('nameless');\n  \
           return { name: event.name, of: context.functionName };\n};\n",
    )
    .events(&["{\"name\":\"é\"}", "[]"]);
    for major in [20, 24] {
        let ours = ours(version, major, &folder);
        let outcome = run(&case, &ours).await;
        assert_eq!(run(&case, &ours.as_stem()).await, outcome);
        assert_eq!(outcome.exit, None, "{outcome:?}");
        assert_eq!(outcome.posts[0].body, r#"{"name":"é","of":"fn"}"#);
        assert_eq!(
            outcome.posts[1].body,
            r#"{"errorType":"RangeError","errorMessage":"nameless","trace":["RangeError: nameless","    at exports.handler (/var/task/app.js:3:26)"]}"#
        );
        let first = "TIME\t00000000-0000-4000-8000-000000000001\tINFO\tseen { name: 'é' }\n";
        assert!(outcome.stdout.starts_with(first), "{}", outcome.stdout);
    }
}

#[tokio::test]
async fn nodejs_answers_and_polls_in_one_write() {
    let Some(version) = node_version("nodejs_answers_and_polls_in_one_write") else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.js"), "exports.handler = async (event) => event * 7;\n").unwrap();
    for major in [20, 24] {
        let ours = ours(version, major, &folder);
        answers_and_polls_in_one_write(&ours, folder.path()).await;
        answers_and_polls_in_one_write(&ours.as_stem(), folder.path()).await;
    }
}

/// Major and minor of the `node` on the path.
fn node_version(test: &str) -> Option<(u32, u32)> {
    let output = std::process::Command::new("node").arg("--version").output();
    let Some(output) = output.ok().filter(|output| output.status.success()) else {
        testkit::skip::test(test, "no node on the path");
        return None;
    };
    let text = String::from_utf8(output.stdout).unwrap();
    let mut numbers = text.trim_start_matches('v').split('.');
    let mut number = || numbers.next().unwrap().parse().unwrap();
    Some((number(), number()))
}

fn ours(version: (u32, u32), major: u32, folder: &tempfile::TempDir) -> Program {
    let entry = lay_out(clients::NODEJS, folder.path()).join(clients::NODEJS_ENTRY);
    node(version, major, |arguments| {
        arguments.push(entry.to_str().unwrap().to_owned());
    })
}

fn node(version: (u32, u32), major: u32, more: impl FnOnce(&mut Vec<String>)) -> Program {
    let mut arguments = clients::nodejs_arguments(version, 1024);
    more(&mut arguments);
    Program {
        command: PathBuf::from("node"),
        arguments,
        env: vec![("AWS_EXECUTION_ENV", format!("AWS_Lambda_nodejs{major}.x"))],
        is_stem: false,
    }
}

fn js(name: &'static str, code: &str) -> Case {
    case(name, "app.js", code)
}

/// An async handler that returns one expression.
fn returns(name: &'static str, expression: &str) -> Case {
    js(name, &format!("exports.handler = async (event, context) => ({expression});\n"))
}

/// What holds in both manners.
fn cases() -> Vec<Case> {
    let mut cases = results();
    cases.extend(failures());
    cases.extend(inits());
    cases.extend(logs());
    cases.extend(contexts());
    cases.extend(streams());
    cases
}

/// A handler that streams.
fn streams_by(name: &'static str, body: &str) -> Case {
    let code =
        format!("exports.handler = awslambda.streamifyResponse(async (event, stream, context) => {{\n{body}\n}});\n");
    js(name, &code).event("{\"second\":true}")
}

fn streams() -> Vec<Case> {
    vec![
        streams_by(
            "pieces",
            "stream.write('one'); await new Promise((go) => setTimeout(go, 20)); stream.write(Buffer.from('two')); stream.write(new Uint8Array([51])); stream.end();",
        ),
        streams_by("what is no data is JSON", "stream.write({ a: [1, null] }); stream.write(7); stream.end();"),
        streams_by("nothing", "stream.end();"),
        streams_by("all at the end", "stream.end('whole');"),
        streams_by("its own type", "stream.setContentType('text/plain'); stream.write('x'); stream.end();"),
        streams_by("its type too late", "stream.write('x'); stream.setContentType('text/plain');"),
        streams_by(
            "status and headers",
            "const http = awslambda.HttpResponseStream.from(stream, { statusCode: 201, headers: { a: 'b' }, cookies: ['c'] }); http.write('body'); http.end();",
        ),
        streams_by(
            "a pipeline",
            "await require('util').promisify(require('stream').pipeline)(require('stream').Readable.from(['a', 'b', 'c']), stream);",
        ),
        streams_by("an error before anything", "throw new RangeError('early');"),
        streams_by("an error in the middle", "stream.write('half'); await null; throw new RangeError('late');"),
        streams_by("what is thrown is no error", "stream.write('half'); throw 'text';"),
        streams_by("an error after the end", "stream.end('whole'); throw new Error('too late');"),
        streams_by("a return value", "stream.end('x'); return 7;"),
        streams_by(
            "facts",
            "console.log(Object.keys(context).filter((key) => !/xRay/.test(key)).sort().join()); const before = [stream.writable, stream.writableEnded, stream.writableFinished, stream.writableLength, stream.destroyed]; stream.write('x'); stream.on('finish', () => console.log('finished')); stream.end(); console.log(...before, stream.writableEnded);",
        ),
        streams_by(
            "much",
            "for (let i = 0; i < 40; i++) { if (!stream.write('x'.repeat(100_000))) await new Promise((go) => stream.once('drain', go)); } stream.end();",
        ),
        streams_by("refused", "stream.write('x'); stream.end();").statuses(&[413, 400]),
        js("not async", "exports.handler = awslambda.streamifyResponse((event, stream) => { stream.end('x'); });"),
        js(
            "high water mark",
            "exports.handler = awslambda.streamifyResponse(async (event, stream) => { stream.write('x'); stream.end(); }, { highWaterMark: 1 });",
        ),
    ]
}

fn results() -> Vec<Case> {
    vec![
        returns("echo", "event").events(&[
            "{}",
            " [1, 2.50, -0.0, 1e400, true, null, \"\\u00e9\\ud83d\\ude00\\u007f\\u2028\"] \n",
            "\"text\"",
            "12345678901234567890123",
            "{\"b\":1,\"a\":{\"b\":[{}]}}",
            "\"\\ud800\"",
        ]),
        returns("nothing", "undefined"),
        returns("what JSON leaves out", "{ a: undefined, f() {}, s: Symbol('s'), d: new Date(0), n: NaN, m: new Map([[1, 2]]), b: Buffer.from('b') }"),
        returns("a function", "() => 1"),
        returns("a symbol", "Symbol('s')"),
        returns("a BigInt", "10n"),
        returns("toJSON", "{ toJSON() { return 'mine'; } }"),
        returns("toJSON throws", "{ toJSON() { throw new Error('no'); } }"),
        js("cycle", "exports.handler = async () => { const a = {}; a.a = a; return a; };"),
        returns("an error is an object", "new Error('returned')"),
        returns("a large answer", "'x'.repeat(6 * 1024 * 1024 - 2)").events(&["{}", "{}"]),
        returns("too large an answer", "'x'.repeat(6 * 1024 * 1024 + 101)")
            .events(&["{}", "{}"])
            .statuses(&[413, 413]),
        returns("an answer is refused", "1").events(&["{}", "{}"]).statuses(&[400]),
        returns("a large event", "event.length").events(&[&format!("\"{}\"", "é".repeat(3_145_000)), "\"short\""]),
        js("thenable", "exports.handler = () => ({ then(done) { setTimeout(() => done('later'), 5); } });"),
        js("work goes on after the answer", "let n = 0; exports.handler = async () => { setTimeout(() => { n++; }, 1); await new Promise((r) => setTimeout(r, 20)); return n; };")
            .events(&["{}", "{}"]),
        js("many events", "let n = 0; exports.handler = async () => ++n;").events(&["{}"; 50]),
    ]
}

fn failures() -> Vec<Case> {
    vec![
        js("throws", "function inner() { throw new TypeError('no: é \\\\ \" \\x7F'); }\nexports.handler = async () => inner();\n").events(&["{}", "{}"]),
        js("throws with a cause and fields", "class Mine extends Error { constructor(m) { super(m); this.name = 'Mine'; this.code = 'E1'; this.extra = { a: [1] }; this.cause = new Error('why'); } }\nexports.handler = async () => { throw new Mine('line one\\n  line two'); };\n"),
        js("throws with a cycle", "exports.handler = async () => { const e = new Error('round'); e.self = e; throw e; };"),
        js("throws a string", "exports.handler = async () => { throw 'text'; };"),
        js("throws a number", "exports.handler = async () => { throw 5; };"),
        js("throws an object", "exports.handler = async () => { throw { a: 1 }; };"),
        js("throws what looks like an error", "exports.handler = async () => { throw { name: 'N', message: 'm', stack: 'N: m\\n    at nowhere' }; };"),
        js("throws an error without stack", "exports.handler = async () => { const e = new Error('bare'); e.stack = undefined; throw e; };"),
        js("throws an error of another realm", "exports.handler = async () => { require('vm').runInNewContext('throw new RangeError(1)'); };"),
        js("recursion", "const f = () => f() + 1; exports.handler = async () => f();"),
        js("rejects late", "exports.handler = () => new Promise((_, reject) => setTimeout(() => reject(new Error('late')), 5));"),
        js("exits", "exports.handler = async () => { console.log('bye'); process.exit(7); };"),
        js("exits with 0", "exports.handler = async () => process.exit(0);"),
        js("aborts", "exports.handler = async () => { process.kill(process.pid, 'SIGKILL'); await new Promise(() => setTimeout(() => {}, 10000)); };"),
        js("client context no JSON", "exports.handler = async () => 1;").header("Lambda-Runtime-Client-Context", "{").ignores_stderr(),
    ]
}

fn inits() -> Vec<Case> {
    let errors = |name, code| js(name, code).ignores_stderr();
    vec![
        errors("no dot", "").handler("handler"),
        errors("dots that climb", "").handler("../app.handler"),
        errors("no such module", "").handler("absent.handler"),
        errors("no such export", "exports.other = 1;").handler("app.absent"),
        errors("export that is no function", "exports.handler = { a: 1 };"),
        errors("require of what is missing", "require('absent-library');"),
        errors("require of what is missing, deep", "require('./lib/deep');").file("lib/deep.js", "require('./gone');"),
        errors("import of what is missing", "").file("mod.mjs", "import 'absent-library';").handler("mod.handler"),
        errors("syntax error", "exports.handler = async () => {\n  return 1 +;\n};\n"),
        errors("syntax error in an ES module", "").file("mod.mjs", "export const handler = ;\n").handler("mod.handler"),
        errors("throws while loaded", "function boom() { throw new RangeError('boom'); }\nboom();\n"),
        errors("throws while imported", "").file("mod.mjs", "throw new RangeError('boom');\n").handler("mod.handler"),
        errors("throws while loaded, JSON", "throw new RangeError('boom');\n").env("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        js("exits while loaded", "console.log('x'); process.exit(5);"),
        js("folders", "").file("a/b/c.js", "exports.go = async () => __filename;").handler("a/b/c.go"),
        js("names inside", "").file("a/c.js", "exports.x = { y: { go: async function () { return this === undefined; } } };").handler("a/c.x.y.go"),
        js("ES module", "").file("mod.mjs", "import fs from 'fs';\nconst here = import.meta.url;\nexport const handler = async () => [typeof require, here, fs.existsSync('mod.mjs')];\n").handler("mod.handler"),
        js("ES module by package.json", "export const handler = async () => typeof require;").file("package.json", "{\"type\":\"module\"}"),
        js("CommonJS by extension", "").file("package.json", "{\"type\":\"module\"}").file("c.cjs", "exports.handler = async () => typeof require;").handler("c.handler"),
        js("package.json of the folder above", "").file("package.json", "{\"type\":\"module\"}").file("a/c.js", "export const handler = async () => 1;").handler("a/c.handler"),
        js("package.json that says nothing", "exports.handler = async () => 1;").file("package.json", "{}"),
        js("top-level await", "").file("mod.mjs", "const v = await new Promise((r) => setTimeout(() => r('ready'), 5));\nexport const handler = async () => v;\n").handler("mod.handler"),
        js("default export", "").file("mod.mjs", "export default { handler: async () => 'default' };").handler("mod.default.handler"),
        js("a package", "").file("node_modules/lib/index.js", "exports.handler = async () => 'lib';").handler("lib.handler"),
        js("absolute layers path", "exports.handler = async () => require('lib').v;").file("node_modules/lib/index.js", "exports.v = 'found';"),
        js("no main module", "const isMain = require.main === module; exports.handler = async () => [isMain, require.main === undefined];"),
        js("CommonJS file without extension", "").file("bare", "exports.handler = async () => 'bare';").handler("bare.handler"),
        js("ES syntax in a CommonJS file", "import fs from 'fs';\nexport const handler = async () => 1;\n").ignores_stderr(),
    ]
}

fn logs() -> Vec<Case> {
    const TALKS: &str = "console.log('at init');\n\
        exports.handler = async (event) => {\n\
        console.trace('t'); console.debug('d %s %d', 'a', 1); console.info({ a: { b: { c: { d: 1 } } } }); console.warn('w\\nsecond é'); console.error(new Error('boom'));\n\
        console.fatal('f'); console.log(); console.log('a', 1, null, undefined, [1]); console.log('%j', { a: 1 }, 'more'); console.error('with', new TypeError('te'), 'after');\n\
        console.log(10n); console.log(Symbol('s')); console.log(undefined); const c = {}; c.c = c; console.log(c); console.log({ e: new RangeError('in') });\n\
        process.stdout.write('no newline'); process.stdout.write('\\nraw\\n'); process.stdout.write(Buffer.from([0xff, 10])); if (!event.framed) process.stderr.write('err\\n');\n\
        console.table && console.table([[1]]);\n\
        return event; };\n";
    let talks = |name| js(name, TALKS).events(&["{}", "{}"]);
    vec![
        talks("logs"),
        talks("logs with a level").env("AWS_LAMBDA_LOG_LEVEL", "warn"),
        talks("logs above all levels but one").env("AWS_LAMBDA_LOG_LEVEL", "FATAL"),
        talks("logs with an unknown level").env("AWS_LAMBDA_LOG_LEVEL", "loud"),
        talks("JSON logs").env("AWS_LAMBDA_LOG_FORMAT", "json"),
        talks("JSON logs with a level").env("AWS_LAMBDA_LOG_FORMAT", "JSON").env("AWS_LAMBDA_LOG_LEVEL", "ERROR"),
        talks("JSON logs of a tenant")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .header("Lambda-Runtime-Aws-Tenant-Id", "tenant-1"),
        js("uncaught error, JSON", "exports.handler = async () => { throw new RangeError('boom'); };")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        talks("frames on a descriptor").events(&["{\"framed\":1}"]).has_frames(),
        talks("frames of JSON").events(&["{\"framed\":1}"]).has_frames().env("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        js("uncaught string, JSON", "exports.handler = async () => { throw 'text'; };")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ]
}

fn contexts() -> Vec<Case> {
    const SHOWS: &str = "exports.handler = async (event, context) => ({ context, left: context.getRemainingTimeInMillis() > 1e9, keys: Object.keys(context), \
        trace: process.env._X_AMZN_TRACE_ID, task: process.env.LAMBDA_TASK_ROOT === process.cwd(), aws: typeof awslambda.streamifyResponse });";
    vec![
        js("context", SHOWS),
        js("context with everything", SHOWS)
            .header(
                "Lambda-Runtime-Trace-Id",
                "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1",
            )
            .header(
                "Lambda-Runtime-Client-Context",
                r#"{"custom":{"foo":"bär"},"client":{"snap":["crackle","pop"]},"env":{"fizz":"buzz"}}"#,
            )
            .header("Lambda-Runtime-Cognito-Identity", r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#)
            .header("Lambda-Runtime-Aws-Tenant-Id", "tenant-1")
            .event("{}"),
        js("no globals", "exports.handler = async () => typeof awslambda;")
            .env("AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA", "1"),
    ]
}

fn callback_cases() -> Vec<Case> {
    vec![
        js("callback", "exports.handler = (event, context, callback) => callback(null, { a: 1 });").events(&["{}", "{}"]),
        js("callback waits for the loop", "exports.handler = (event, context, callback) => { setTimeout(() => console.log('late'), 10); callback(null, 'done'); };").events(&["{}", "{}"]),
        js("callback does not wait", "exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 60000); callback(null, context.callbackWaitsForEmptyEventLoop); };").events(&["{}", "{}"]),
        js("callback later", "exports.handler = (event, context, callback) => { setTimeout(() => callback(null, 'later'), 5); };"),
        js("callback twice", "exports.handler = (event, context, callback) => { callback(null, 1); callback(null, 2); };").events(&["{}", "{}"]),
        js("callback with an error", "exports.handler = (event, context, callback) => callback(new Error('no'));").events(&["{}", "{}"]),
        js("callback with a string", "exports.handler = (event, context, callback) => callback('text');"),
        js("callback with a false error", "exports.handler = (event, context, callback) => callback(0, 1);"),
        js("callback with nothing", "exports.handler = (event, context, callback) => callback();"),
        js("callback with a cycle", "exports.handler = (event, context, callback) => { const a = {}; a.a = a; callback(null, a); };"),
        js("callback and promise", "exports.handler = async (event, context, callback) => { callback(null, 'called'); return 'returned'; };").events(&["{}", "{}"]),
        js("callback, then exit", "exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; callback(null, 'sent'); process.exit(4); };"),
        js("callback, then throw", "exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; callback(null, 'sent'); throw new Error('after'); };").events(&["{}", "{}"]),
        js("answer, then a late throw", "exports.handler = (event, context, callback) => { context.callbackWaitsForEmptyEventLoop = false; callback(null, 'sent'); process.nextTick(() => { throw new Error('after'); }); };").events(&["{}", "{}"]),
        js("never calls back", "exports.handler = (event, context, callback) => { setTimeout(() => console.log('worked'), 5); };").events(&["{}", "{}"]),
        js("returns without promise", "exports.handler = (event) => 'ignored';").events(&["{}", "{}"]),
        js("promise that never ends", "exports.handler = () => new Promise(() => {});").events(&["{}", "{}"]),
        js("succeed", "exports.handler = (event, context) => context.succeed({ a: 1 });").events(&["{}", "{}"]),
        js("fail", "exports.handler = (event, context) => context.fail(new Error('failed'));").events(&["{}", "{}"]),
        js("fail with nothing", "exports.handler = (event, context) => context.fail();"),
        js("done", "exports.handler = (event, context) => context.done(null, 'done');").events(&["{}", "{}"]),
        js("done with an error", "exports.handler = (event, context) => context.done('bad');"),
        js("succeed after the loop was empty", "let late; exports.handler = (event, context) => { if (late) { late.succeed('old'); } late = context; };").events(&["{}", "{}", "{}"]),
        js("throws at once", "exports.handler = () => { throw new Error('sync'); };").events(&["{}", "{}"]),
        js("throws nothing", "exports.handler = () => { throw undefined; };").events(&["{}", "{}"]),
        js("uncaught exception", "exports.handler = (event, context, callback) => { setTimeout(() => { throw new RangeError('thrown later'); }, 5); };"),
        js("uncaught exception, JSON", "exports.handler = (event, context, callback) => { setTimeout(() => { throw new RangeError('thrown later'); }, 5); };").env("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        js("unhandled rejection", "exports.handler = async () => { Promise.reject(new Error('nobody')); await new Promise((r) => setTimeout(r, 50)); };"),
        js("unhandled rejection of a string", "exports.handler = async () => { Promise.reject('nobody'); await new Promise((r) => setTimeout(r, 50)); };"),
        js("unhandled rejection of nothing", "exports.handler = async () => { Promise.reject(); await new Promise((r) => setTimeout(r, 50)); };"),
        js("uncaught exception during init", "setTimeout(() => { throw new Error('timer'); }, 0); exports.handler = async () => { await new Promise((r) => setTimeout(r, 1000)); };")
            .file("mod.mjs", "import './app.js'; await new Promise((r) => setTimeout(r, 60000));").handler("mod.handler"),
        js("unhandled rejection during init", "").file("mod.mjs", "Promise.reject(new Error('early')); await new Promise((r) => setTimeout(r, 60000)); export const handler = 1;").handler("mod.handler"),
        js("own listener of uncaught exceptions", "process.removeAllListeners('uncaughtException'); process.on('uncaughtException', (e) => console.log('mine', e.message)); exports.handler = (event, context, callback) => { setTimeout(() => { throw new Error('x'); }, 1); setTimeout(() => callback(null, 'went on'), 20); };"),
        js("top-level await that never ends", "").file("mod.mjs", "await new Promise(() => {}); export const handler = 1;").handler("mod.handler").ignores_stderr(),
        js("the event is no JSON", "exports.handler = async (event) => event;").events(&["{\"a\":", "{}"]),
        js("before exit of the function", "process.on('beforeExit', () => console.log('before exit')); exports.handler = (event, context, callback) => callback(null, 1);").events(&["{}", "{}"]),
        js("handler that is false", "exports.handler = 0;").ignores_stderr(),
        js("module of ES default only", "").file("mod.mjs", "export default { handler: async () => 'default' };").handler("mod.handler"),
    ]
}

fn promise_cases() -> Vec<Case> {
    vec![
        // In 3.x a slip in the code stands in the way of its own words.
        js(
            "another kind",
            "const kind = Symbol.for('aws.lambda.runtime.handler.streaming'); exports.handler = Object.assign(async () => 1, { [kind]: 'request' });",
        ),
        js("returns without promise", "exports.handler = (event) => 'used';").events(&["{}", "{}"]),
        js("takes a callback", "exports.handler = (event, context, callback) => callback(null, 1);").ignores_stderr(),
        js("throws at once", "exports.handler = () => { throw new Error('sync'); };").events(&["{}", "{}"]),
        js("throws nothing", "exports.handler = () => { throw undefined; };"),
        js("promise that never ends", "exports.handler = () => new Promise(() => {});").ignores_stderr(),
        js("uncaught exception", "exports.handler = async () => { setTimeout(() => { throw new RangeError('thrown later'); }, 5); await new Promise((r) => setTimeout(r, 1000)); };").ignores_stderr(),
        js("unhandled rejection", "exports.handler = async () => { Promise.reject(new Error('nobody')); await new Promise((r) => setTimeout(r, 50)); };").ignores_stderr(),
        js("module of ES default only", "").file("mod.mjs", "export default { handler: async () => 'default' };").handler("mod.handler"),
        js("invoke store", "exports.handler = async () => { const s = awslambda.InvokeStore; let refused; try { s.set(Symbol.for('_AWS_LAMBDA_REQUEST_ID'), 1); } catch (e) { refused = e.message; } s.set('k', 'v'); return [s.getRequestId(), s.getXRayTraceId(), s.getTenantId(), s.hasContext(), s.get('k'), refused]; };")
            .header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700"),
        js("work after the answer", "exports.handler = async () => { setImmediate(() => console.log('immediate')); return 1; };").events(&["{}", "{}"]),
    ]
}
