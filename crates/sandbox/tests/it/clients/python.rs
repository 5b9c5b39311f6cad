//! The Python client.

use std::path::PathBuf;

use sandbox::clients;

use super::run::{Case, Program, answers_and_polls_in_one_write, case, compare, lay_out, run};
use super::test_tools;

/// At AWS the client is loaded before the function's folder is on the path.
const AS_AWS_STARTS_IT: &str = "\
import os, sys
del sys.path[0]
from awslambdaric.__main__ import main
sys.path.insert(0, os.environ['LAMBDA_TASK_ROOT'])
main(['', os.environ['_HANDLER']])
";

#[tokio::test]
async fn python_does_as_the_official_client() {
    let Some(tools) = test_tools("python_does_as_the_official_client") else {
        return;
    };
    let python = tools.join("venv/bin/python");
    let folder = tempfile::tempdir().unwrap();
    let official = Program {
        command: python.clone(),
        arguments: vec!["-B".to_owned(), "-c".to_owned(), AS_AWS_STARTS_IT.to_owned()],
        env: Vec::new(),
        is_stem: false,
    };
    compare(&cases(), &ours(python, &folder), &official).await;
}

#[tokio::test]
async fn every_python_found_serves() {
    let mut found = 0;
    for minor in 8..=14 {
        let python = PathBuf::from(format!("python3.{minor}"));
        if !works(&python) {
            continue;
        }
        found += 1;
        let folder = tempfile::tempdir().unwrap();
        let client = ours(python.clone(), &folder);
        let compiled = std::process::Command::new(&python).args(clients::PYTHON_COMPILE).arg(folder.path()).status();
        assert!(compiled.unwrap().success(), "python3.{minor} compiles");
        let case = case(
            "every",
            "app.py",
            "import logging\n\
             def handler(event, context):\n    \
                 logging.warning('seen %s', event)\n    \
                 return {'name': event['name'], 'of': context.function_name, 'raw': b'x'}\n",
        )
        .events(&["{\"name\":\"é\"}", "[]"]);
        let outcome = run(&case, &client).await;
        let of_stem = run(&case, &client.as_stem()).await;
        assert_eq!(of_stem, outcome, "python3.{minor}");
        assert_eq!(outcome.exit, None, "python3.{minor}: {outcome:?}");
        assert_eq!(outcome.posts[0].body, r#"{"name": "\u00e9", "of": "fn", "raw": "x"}"#);
        let error = String::from_utf8(outcome.posts[1].body.to_vec()).unwrap();
        assert!(
            error.starts_with(
                r#"{"errorMessage": "list indices must be integers or slices, not str", "errorType": "TypeError", "requestId": "00000000-0000-4000-8000-000000000002", "stackTrace": ["  File \"/var/task/app.py\", line 4, in handler\n"#
            ),
            "python3.{minor}: {error}"
        );
        assert!(
            outcome.stdout.starts_with("[WARNING]\tTIME\t00000000-0000-4000-8000-000000000001\tseen {'name': 'é'}\n"),
            "python3.{minor}: {}",
            outcome.stdout
        );
    }
    if found == 0 {
        testkit::skip::test("every_python_found_serves", "no python3.8 to python3.14 on the path");
    }
}

#[tokio::test]
async fn python_answers_and_polls_in_one_write() {
    let test = "python_answers_and_polls_in_one_write";
    let Some(python) = any_python(test) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("app.py"), "def handler(event, context):\n    return event * 7\n").unwrap();
    let ours = ours(python, &folder);
    answers_and_polls_in_one_write(&ours, folder.path()).await;
    answers_and_polls_in_one_write(&ours.as_stem(), folder.path()).await;
}

fn any_python(test: &str) -> Option<PathBuf> {
    let found = (8..=14).rev().find_map(|minor| {
        let python = PathBuf::from(format!("python3.{minor}"));
        works(&python).then_some(python)
    });
    if found.is_none() {
        testkit::skip::test(test, "no python3.8 to python3.14 on the path");
    }
    found
}

/// A version manager leaves commands on the path that only say what is missing.
fn works(python: &PathBuf) -> bool {
    let output = std::process::Command::new(python).args(["-c", "import json"]).output();
    output.is_ok_and(|output| output.status.success())
}

fn ours(python: PathBuf, folder: &tempfile::TempDir) -> Program {
    let runtime = lay_out(clients::PYTHON, folder.path());
    let entry = runtime.join(clients::PYTHON_ENTRY);
    Program {
        command: python,
        arguments: vec!["-B".to_owned(), entry.to_str().unwrap().to_owned()],
        env: Vec::new(),
        is_stem: false,
    }
}

fn python(name: &'static str, code: &str) -> Case {
    case(name, "app.py", code)
}

/// A handler whose body is one expression.
fn returns(name: &'static str, expression: &str) -> Case {
    python(
        name,
        &format!(
            "import collections, datetime, decimal, enum, json\n\
             def handler(event, context):\n    return {expression}\n"
        ),
    )
}

fn cases() -> Vec<Case> {
    let mut cases = results();
    cases.extend(failures());
    cases.extend(inits());
    cases.extend(logs());
    cases.extend(contexts());
    cases
}

fn results() -> Vec<Case> {
    vec![
        returns("echo", "event").events(&[
            "{}",
            " [1, 2.50, -0.0, 1e400, true, null, \"\\u00e9\\ud83d\\ude00\\u007f\\u2028\"] \n",
            "\"text\"",
            "12345678901234567890123",
            "{\"a\":{\"b\":[{}]}}",
        ]),
        returns("echo in UTF-8", "event")
            .events(&["\"\\u00e9\\ud83d\\ude00\\u007f\\u2028\\\\\\\"\\u0001\\n\\t\""])
            .env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
        returns("lone surrogate, escaped", "event").events(&["\"\\ud800\""]),
        returns("lone surrogate, UTF-8", "event")
            .events(&["\"\\ud800\""])
            .env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.13")
            .ignores_stderr(),
        returns("nothing", "None"),
        returns("floats", "[float('nan'), float('inf'), -float('inf'), 1e22, 0.1, 1e-7]"),
        returns("bytes", "b'\\x00\\xffraw'"),
        returns("bytes inside", "{'a': b'text', b'key': 1}"),
        returns("bytes inside, not text", "[b'\\xff']"),
        returns(
            "decimals",
            "[decimal.Decimal('1.10'), decimal.Decimal('NaN'), decimal.Decimal('1E+2'), decimal.Decimal('-Infinity'), {'d': decimal.Decimal(3)}]",
        ),
        returns("a decimal", "decimal.Decimal('2.50')"),
        returns("a decimal as key", "{decimal.Decimal(1): 1}"),
        returns("named tuple", "collections.namedtuple('P', 'x y')(1, (2, 3))"),
        returns(
            "subclasses",
            "[collections.OrderedDict(b=1, a=2), enum.IntEnum('E', 'A B').B, type('S', (str,), {})('s'), type('F', (float,), {})(1.5), collections.defaultdict(list, k=[1]), True]",
        ),
        returns("keys", "{1: 1, 1.5: 2, True: 3, None: 4, 'k': 5, float('nan'): 6}"),
        returns(
            "keys beside a named tuple",
            "{1: 1, 1.5: 2, False: 3, None: 4, enum.IntEnum('E', 'A').A: collections.namedtuple('P', 'x')(1)}",
        ),
        returns("a tuple as key", "{(1, 2): 3}"),
        returns("empty ones", "[[], {}, (), '', collections.OrderedDict()]"),
        returns("set", "{1}"),
        returns("datetime", "{'at': datetime.datetime(2020, 1, 1)}"),
        returns("mapping that is no dict", "collections.UserDict(a=1)"),
        returns("generator", "(i for i in range(3))"),
        returns("handler itself", "handler"),
        python("cycle", "def handler(event, context):\n    a = []\n    a.append({'a': a})\n    return a\n"),
        python("no cycle, only shared", "def handler(event, context):\n    a = [1]\n    return [a, a, {'a': a}]\n"),
        returns("a large answer", "'x' * (6 * 1024 * 1024 - 2)"),
        returns("too large an answer", "'x' * (6 * 1024 * 1024 + 101)")
            .events(&["{}", "{}"])
            .statuses(&[413])
            .ignores_stderr(),
        returns("a large event", "len(event)").events(&[&format!("\"{}\"", "é".repeat(3_145_000))]),
        python(
            "a class as handler",
            "class handler(dict):\n    def __init__(self, event, context):\n        super().__init__(event)\n",
        )
        .events(&["{\"a\":1}"]),
        python("a coroutine is not JSON", "async def handler(event, context):\n    return 1\n").ignores_stderr(),
    ]
}

fn failures() -> Vec<Case> {
    vec![
        python(
            "raises",
            "def inner():\n    raise ValueError('no: \\u00e9 \\\\ \"')\n\ndef handler(event, context):\n    inner()\n",
        )
        .events(&["{}", "{}"]),
        python("raises in UTF-8", "def handler(event, context):\n    raise ValueError('\\u00e9')\n")
            .env("AWS_EXECUTION_ENV", "AWS_Lambda_python3.12"),
        python("raises nothing to say", "def handler(event, context):\n    raise KeyError()\n"),
        python(
            "raises in a chain",
            "class Mine(Exception):\n    def __str__(self):\n        return 'line one\\n  line two'\n\ndef handler(event, context):\n    try:\n        1 / 0\n    except ZeroDivisionError as e:\n        raise Mine() from e\n",
        ),
        python("wrong number of arguments", "def handler(event):\n    return 1\n"),
        python("recursion", "def handler(event, context):\n    return handler(event, context)\n"),
        python("library frames", "import json\ndef handler(event, context):\n    return json.loads('{')\n"),
        python(
            "raises in code without source",
            "def handler(event, context):\n    exec('def f():\\n    raise RuntimeError(1)\\nf()')\n",
        ),
        python("exits", "import sys\ndef handler(event, context):\n    print('bye')\n    sys.exit(7)\n"),
        python("exits with 0", "def handler(event, context):\n    raise SystemExit\n"),
        python("exits at once", "import os\ndef handler(event, context):\n    os._exit(3)\n"),
        python("interrupted", "def handler(event, context):\n    raise KeyboardInterrupt\n").ignores_stderr(),
        python(
            "frames of a file called bootstrap.py",
            "from bootstrap import go\ndef handler(event, context):\n    go()\n",
        )
        .file("bootstrap.py", "def go():\n    raise ValueError(1)\n")
        .ignores_stderr(),
        python("an answer is refused", "def handler(event, context):\n    return 1\n")
            .events(&["{}", "{}"])
            .statuses(&[400])
            .ignores_stderr(),
        python("the event is no JSON", "def handler(event, context):\n    return 1\n")
            // Other mistakes are worded in another way; the engine lets no event through that is not JSON.
            .events(&["{\"a\":", "nonsense", ""]),
        python(
            "the event has another content type",
            "def handler(event, context):\n    return [type(event).__name__, event]\n",
        )
        .header("Content-Type", "text/plain"),
    ]
}

fn inits() -> Vec<Case> {
    vec![
        python("no dot", "").handler("handler"),
        python("no such module", "").handler("absent.handler"),
        python("no such function", "x = 1\n").handler("app.absent"),
        python("a module of the interpreter", "").handler("sys.exit"),
        python("import of what is missing", "import absent_library\n"),
        python("import of a name that is missing", "from json import absent\n"),
        python("syntax error", "x = 1\ndef handler(event, context)\n    return 1\n"),
        python("indentation error", "def handler(event, context):\nreturn 1\n"),
        python("raises while imported", "def boom():\n    raise ValueError('boom')\n\nboom()\n"),
        python("raises in what it imports", "import other\n").file("other.py", "1 / 0\n"),
        python("raises while imported, JSON", "raise ValueError('boom')\n")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        python("exits while imported", "import sys\nprint('x')\nsys.exit(5)\n"),
        python("folders", "").file("a/b/c.py", "def go(event, context):\n    return __name__\n").handler("a/b/c.go"),
        python("packages", "").file("pkg/__init__.py", "").file("pkg/mod.py", "class K:\n    pass\ndef go(event, context):\n    return __name__\n").handler("pkg.mod.go"),
        python("a name inside a class", "class K:\n    @staticmethod\n    def go(event, context):\n        return 1\n").handler("app.K.go"),
        python("handler is no function", "handler = 5\n"),
        python("module named as one of the standard library", "import json, logging, types\nfrom collections import abc\ndef handler(event, context):\n    return [json.dumps([1]), logging.INFO, types.FunctionType is type(handler)]\n")
            .file("json.py", "raise ValueError('json')\n")
            .file("logging.py", "raise ValueError('logging')\n")
            .file("types.py", "raise ValueError('types')\n")
            .file("decimal.py", "raise ValueError('decimal')\n"),
        python("a module may shadow the rest", "import csv\ndef handler(event, context):\n    return csv.mine\n")
            .file("csv.py", "mine = 'mine'\n"),
        python("pth files and path", "import sys, os\ndef handler(event, context):\n    return [sys.path[0] == os.getcwd(), os.environ['_HANDLER']]\n"),
    ]
}

fn logs() -> Vec<Case> {
    const TALKS: &str = "import logging, sys\n\
        log = logging.getLogger('mine')\n\
        logging.warning('at init')\n\
        print('plain', 1, sep='-')\n\
        def handler(event, context):\n    \
            log.debug('d'); log.info('i %s', 1); log.warning('w\\nsecond \\u00e9'); log.error('e', extra={'k': {1: 2}, 'o': object}); log.critical({'a': 1})\n    \
            log.warning({'a': 1}, 'unused') if event.get('bad') else None\n    \
            try:\n        \
                1 / 0\n    \
            except ZeroDivisionError:\n        \
                log.exception('caught')\n    \
            print('no newline', end='')\n    \
            sys.stdout.write('\\nwritten\\n')\n    \
            sys.stdout.writelines(['a\\n', 'b\\n'])\n    \
            sys.stdout.buffer.write(b'raw \\xff\\n')\n    \
            sys.stdout.flush()\n    \
            context.log('from context\\n')\n    \
            print('to stderr', file=sys.stderr)\n    \
            return [type(h).__name__ for h in logging.getLogger().handlers] + [logging.getLogger().level]\n";
    const FRAMED: &str = "import logging, os\n\
        logging.error('framed \\u00e9')\n\
        def handler(event, context):\n    \
            log = logging.getLogger('mine')\n    \
            log.debug('d'); log.info('i'); log.warning('w\\n2'); log.critical('c'); log.log(33, 'odd'); log.log(99, 'high')\n    \
            context.log('c')\n    \
            print('_LAMBDA_TELEMETRY_LOG_FD' in os.environ)\n    \
            raise ValueError('one line')\n";
    let talks = |name| python(name, TALKS).events(&["{}", "{}"]);
    let framed = |name| python(name, FRAMED).has_frames();
    vec![
        talks("logs"),
        talks("logs with a level").env("AWS_LAMBDA_LOG_LEVEL", "DEBUG"),
        talks("logs with level trace").env("AWS_LAMBDA_LOG_LEVEL", "TRACE"),
        talks("logs with an unknown level").env("AWS_LAMBDA_LOG_LEVEL", "loud"),
        talks("JSON logs").env("AWS_LAMBDA_LOG_FORMAT", "json"),
        talks("JSON logs with a level").env("AWS_LAMBDA_LOG_FORMAT", "JSON").env("AWS_LAMBDA_LOG_LEVEL", "error"),
        talks("JSON logs of a tenant")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON")
            .header("Lambda-Runtime-Aws-Tenant-Id", "tenant-1"),
        talks("no usable arguments").events(&["{\"bad\":1}"]).ignores_stderr(),
        python("uncaught error, JSON", "def handler(event, context):\n    raise ValueError('\\u00e9 boom')\n")
            .env("AWS_LAMBDA_LOG_FORMAT", "JSON"),
        python(
            "uncaught error with blank lines",
            "def handler(event, context):\n    raise ValueError('a\\n\\n   b')\n",
        ),
        python(
            "root handlers removed",
            "import logging, sys\nroot = logging.getLogger()\nfor h in list(root.handlers):\n    root.removeHandler(h)\nlogging.basicConfig(stream=sys.stdout, format='%(levelname)s %(message)s')\ndef handler(event, context):\n    logging.error('mine')\n    context.log('c')\n",
        ),
        python(
            "basicConfig changes nothing",
            "import logging\nlogging.basicConfig(level='DEBUG')\ndef handler(event, context):\n    logging.info('hidden')\n    logging.error('seen')\n",
        ),
        python(
            "logging imported late",
            "def handler(event, context):\n    import logging\n    logging.error('late')\n    from logging import handlers\n",
        ),
        framed("frames on a descriptor"),
        framed("frames with a level").env("AWS_LAMBDA_LOG_LEVEL", "INFO"),
        framed("frames of JSON").env("AWS_LAMBDA_LOG_FORMAT", "JSON"),
    ]
}

fn contexts() -> Vec<Case> {
    const SHOWS: &str = "import os\n\
        def handler(event, context):\n    \
            left = context.get_remaining_time_in_millis()\n    \
            cc = context.client_context\n    \
            return {'repr': repr(context), 'left': left > 10**9, 'int': type(left).__name__, 'w3c': context.w3c(),\n        \
            'id': [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id],\n        \
            'custom': cc and cc.custom, 'env': cc and cc.env, 'title': cc and cc.client and cc.client.app_title,\n        \
            'tenant': context.tenant_id, 'trace': os.environ.get('_X_AMZN_TRACE_ID'), 'memory': context.memory_limit_in_mb,\n        \
            'names': sorted(n for n in dir(context) if not n.startswith('_') and n != 'log')}\n";
    vec![
        python("context", SHOWS),
        python("context with everything", SHOWS)
            .header("Lambda-Runtime-Trace-Id", "Root=1-5bef4de7-ad49b0e87f6ef6c87fc2e700;Parent=9a9197af755a6419;Sampled=1")
            .header("Lambda-Runtime-Client-Context", r#"{"custom":{"foo":"bär"},"client":{"app_title":"t","snap":[1]},"env":{"fizz":"buzz"},"w3c":{"traceparent":"00-1","other":"x","baggage":3}}"#)
            .header("Lambda-Runtime-Cognito-Identity", r#"{"cognitoIdentityId":"i","cognitoIdentityPoolId":"p"}"#)
            .header("Lambda-Runtime-Aws-Tenant-Id", "tenant-1")
            .event("{}"),
        python("client context without client", SHOWS)
            .header("Lambda-Runtime-Client-Context", "{\"custom\":{}}"),
        python("client context null", SHOWS).header("Lambda-Runtime-Client-Context", "null"),
        python("client context a list", SHOWS).header("Lambda-Runtime-Client-Context", "[]"),
        python("client context no JSON", SHOWS).header("Lambda-Runtime-Client-Context", "{"),
        python("identity no JSON", SHOWS).header("Lambda-Runtime-Cognito-Identity", "nonsense"),
    ]
}
