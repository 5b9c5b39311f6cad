"""boto3 as the driver of the contract: reads steps from standard input, one JSON object a line, calls what each names,
and prints what came of it, one JSON object a line. The first argument is the engine's address.

Blobs come as {"base64": ...}; what is not JSON in an answer is turned into text."""

import base64
import json
import sys
from datetime import datetime

import boto3
from botocore import xform_name
from botocore.config import Config
from botocore.eventstream import EventStream
from botocore.exceptions import ClientError
from botocore.response import StreamingBody

# One attempt: what the engine answers is seen as it is.
config = Config(retries={"total_max_attempts": 1}, parameter_validation=False)
client = boto3.client("lambda", endpoint_url=sys.argv[1], config=config)


def taken(value):
    if isinstance(value, dict):
        return base64.b64decode(value["base64"]) if list(value) == ["base64"] else {k: taken(v) for k, v in value.items()}
    return [taken(item) for item in value] if isinstance(value, list) else value


def shown(value):
    if isinstance(value, StreamingBody):
        return value.read().decode()
    if isinstance(value, EventStream):
        return [shown(event) for event in value]
    if isinstance(value, bytes):
        return value.decode()
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, dict):
        return {key: shown(item) for key, item in value.items()}
    return [shown(item) for item in value] if isinstance(value, list) else value


for line in sys.stdin:
    step = json.loads(line)
    try:
        answer = getattr(client, xform_name(step["operation"]))(**taken(step["input"]))
        status = answer.pop("ResponseMetadata")["HTTPStatusCode"]
        told = {"status": status, "answer": shown(answer)}
    except ClientError as error:
        answer = error.response
        told = {"status": answer["ResponseMetadata"]["HTTPStatusCode"]}
        told["refused"] = {"code": answer["Error"]["Code"], "message": answer["Error"]["Message"]}
    print(json.dumps(told), flush=True)
