"""A function that does what the end-to-end tests ask for: `do` in its event names it. The Node one beside it does the
same. Runs from Python 3.8 on."""

import logging
import os
import signal
import subprocess
import sys

INIT = os.environ.get("INIT", "")
count = 0

if INIT:
    print("initialising")
if INIT == "raise":
    raise ValueError("no start today")
if INIT == "exit 0":
    os._exit(0)
if INIT == "exit 3":
    sys.exit(3)
if INIT == "signal":
    os.kill(os.getpid(), signal.SIGSEGV)


class Mishap(Exception):
    pass


def handler(event, context):
    global count
    count += 1
    if isinstance(event, dict) and "do" in event:
        return globals()["do_" + event["do"]](event, context)
    return event


def do_echo(event, context):
    return event.get("value")


def do_nothing(event, context):
    pass


def do_context(event, context):
    client = context.client_context
    return {
        "function": context.function_name,
        "version": context.function_version,
        "arn": context.invoked_function_arn,
        "memory": context.memory_limit_in_mb,
        "id": context.aws_request_id,
        "group": context.log_group_name,
        "stream": context.log_stream_name,
        "remaining": context.get_remaining_time_in_millis(),
        "client": client and {"custom": client.custom, "env": client.env, "title": client.client.app_title},
        "identity": context.identity.cognito_identity_id,
        "trace": os.environ.get("_X_AMZN_TRACE_ID"),
    }


def do_environment(event, context):
    return dict(os.environ)


def do_log(event, context):
    print("printed")
    print("another\rline")
    print("to standard error", file=sys.stderr)
    logging.getLogger().setLevel("INFO")
    logging.info("informed of %d", 7)
    logging.error("two\nlines")


def do_raise(event, context):
    print("before")
    raise Mishap("it went wrong: ä")


def do_exit(event, context):
    print("leaving")
    os._exit(event["status"])


def do_signal(event, context):
    os.kill(os.getpid(), event["signal"])


def do_wait(event, context):
    print("waiting")
    while True:
        signal.pause()


def do_count(event, context):
    return count


def do_answer(event, context):
    return "x" * event["characters"]


def do_measure(event, context):
    return len(event["value"])


def do_files(event, context):
    """Where it is, and whether it may write there."""
    try:
        open("/var/task/new", "w").close()
        written = "written"
    except OSError as error:
        written = error.errno
    return {"folder": os.getcwd(), "task": sorted(os.listdir("/var/task")), "written": written}


def do_keep(event, context):
    with open("/tmp/" + event["name"], "w") as file:
        file.write("kept")


def do_kept(event, context):
    return sorted(os.listdir("/tmp"))


def do_leave_behind(event, context):
    """A process that outlives the handler, and a connection by which the test sees whether it lives."""
    script = 'exec 3<>"/dev/tcp/127.0.0.1/{}"; printf alive >&3; exec sleep 1000'.format(event["port"])
    quiet = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.Popen(["bash", "-c", script], start_new_session=True, **quiet)


def do_write(event, context):
    """Writes bytes as they are; each is given as a number."""
    os.write(1, bytes(event["bytes"]))


def do_flood(event, context):
    sys.stdout.write(("x" * 99 + "\n") * event["lines"])


def do_log_and_exit(event, context):
    for _ in range(event["lines"]):
        print("x" * 99)
    print("the last line")
    os._exit(3)
