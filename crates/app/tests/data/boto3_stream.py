"""Streams as boto3 reads them, from the engine whose address is the first argument, of the function that is the second.
Prints what it saw as JSON."""

import json
import socket
import sys

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, function = sys.argv[1:]
client = boto3.client("lambda", endpoint_url=endpoint, config=Config(retries={"total_max_attempts": 1}))


def told(event):
    if "PayloadChunk" in event:
        return event["PayloadChunk"]["Payload"].decode()
    return event["InvokeComplete"]


def stream(event, **parameters):
    parameters.setdefault("FunctionName", function)
    answer = client.invoke_with_response_stream(Payload=json.dumps(event), **parameters)
    assert answer["ResponseMetadata"]["HTTPStatusCode"] == answer["StatusCode"] == 200
    assert answer["ResponseStreamContentType"] == "application/vnd.amazon.eventstream"
    assert answer["ExecutedVersion"] == "$LATEST"
    return answer["EventStream"]


def whole(event, **parameters):
    pieces, last = [], None
    for event in stream(event, **parameters):
        assert last is None, "nothing comes after InvokeComplete"
        seen = told(event)
        if isinstance(seen, str):
            pieces.append(seen)
        else:
            last = seen
    return ["".join(pieces), last]


def refused(**parameters):
    try:
        client.invoke_with_response_stream(**parameters)
    except ClientError as error:
        return [error.response["Error"]["Code"], error.response["ResponseMetadata"]["HTTPStatusCode"]]
    raise AssertionError("it is not refused")


seen = {}
# The function goes on when its first piece has been read, and not before.
listener = socket.create_server(("127.0.0.1", 0))
events = iter(stream({"do": "hold", "port": listener.getsockname()[1]}))
held = [told(next(events))]
connection, _ = listener.accept()
connection.sendall(b"go on")
seen["held"] = held + [told(event) for event in events]

seen["http"] = whole({"do": "http"})
seen["nothing"] = whole({"do": "echo", "pieces": []})
seen["text"] = whole({"do": "echo", "pieces": ["ä", "€" * 1000]})
for failure in ("fail_early", "fail_late", "exit", "hang"):
    seen[failure] = whole({"do": failure})
seen["tail"] = whole({"do": "fail_late"}, LogType="Tail")[1]
seen["dry run"] = client.invoke_with_response_stream(FunctionName=function, InvocationType="DryRun")["StatusCode"]
seen["unknown"] = refused(FunctionName="none")
seen["not JSON"] = refused(FunctionName=function, Payload=b"nope")
seen["too large"] = refused(FunctionName=function, Payload=b'"' + b"x" * (6 * 1024 * 1024) + b'"')
buffered = client.invoke(FunctionName=function, Payload=json.dumps({"do": "echo", "pieces": ["one", "two"]}))
headers = buffered["ResponseMetadata"]["HTTPHeaders"]
seen["buffered"] = [buffered["Payload"].read().decode(), headers["content-type"], buffered.get("FunctionError")]
buffered = client.invoke(FunctionName=function, Payload=json.dumps({"do": "fail_late"}))
seen["buffered failure"] = [json.loads(buffered["Payload"].read())["errorType"], buffered.get("FunctionError")]
print(json.dumps(seen))
