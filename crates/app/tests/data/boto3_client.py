"""boto3 as it is, against the engine whose address is the first argument; the second is a runtime. Prints what it saw
as JSON."""

import base64
import hashlib
import json
import sys
import urllib.request

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

endpoint, runtime = sys.argv[1:]
# One attempt: what the engine answers is seen as it is.
config = Config(retries={"total_max_attempts": 1})
client = boto3.client("lambda", endpoint_url=endpoint, config=config)
seen = {"errors": {}}
with open("code.zip", "rb") as file:
    code = file.read()
role = "arn:aws:iam::111111111111:role/r"


def create(name, **settings):
    return client.create_function(
        FunctionName=name, Runtime=runtime, Role=role, Handler="app.handler", Code={"ZipFile": code}, **settings
    )


def run(event, **parameters):
    parameters.setdefault("FunctionName", "one")
    return client.invoke(Payload=json.dumps(event), **parameters)


def refused(name, call, exception=ClientError):
    try:
        call()
    except exception as error:
        answer = error.response
        told = [answer["Error"]["Code"], answer["ResponseMetadata"]["HTTPStatusCode"], answer.get("Type")]
        seen["errors"][name] = told + [answer["Error"]["Message"]]
    else:
        raise AssertionError("{} is not refused".format(name))


def states():
    shown = client.get_function_configuration(FunctionName="one")
    return [shown["State"], shown.get("LastUpdateStatus")]


created = create("one", Timeout=10, Environment={"Variables": {"GREETING": "hallo"}})
assert created["ResponseMetadata"]["HTTPStatusCode"] == 201
assert created["CodeSha256"] == base64.b64encode(hashlib.sha256(code).digest()).decode()
seen["created"] = [created["State"], created.get("LastUpdateStatus")]
client.get_waiter("function_active_v2").wait(FunctionName="one")
seen["active"] = states()
client.get_waiter("function_exists").wait(FunctionName="one")

location = client.get_function(FunctionName="one")["Code"]["Location"]
assert urllib.request.urlopen(location).read() == code

for name in ["two", "three", "four", "five"]:
    create(name)
    client.get_waiter("function_active_v2").wait(FunctionName=name)
pages = client.get_paginator("list_functions").paginate(PaginationConfig={"PageSize": 2})
seen["pages"] = [[function["FunctionName"] for function in page["Functions"]] for page in pages]

before = client.get_function_configuration(FunctionName="one")["RevisionId"]
client.update_function_configuration(FunctionName="one", MemorySize=256, RevisionId=before)
client.get_waiter("function_updated_v2").wait(FunctionName="one")
updated = client.get_function_configuration(FunctionName="one")
assert updated["MemorySize"] == 256 and updated["RevisionId"] != before, updated
refused(
    "revision",
    lambda: client.update_function_code(FunctionName="one", ZipFile=code, RevisionId=before),
    client.exceptions.PreconditionFailedException,
)
client.update_function_configuration(FunctionName="one", MemorySize=128)
client.get_waiter("function_updated").wait(FunctionName="one")
client.update_function_code(FunctionName="one", ZipFile=code)
client.get_waiter("function_updated_v2").wait(FunctionName="one")

answer = run({"do": "echo", "value": "text"})
headers = answer["ResponseMetadata"]["HTTPHeaders"]
seen["invoked"] = {
    "StatusCode": answer["StatusCode"],
    "ExecutedVersion": answer["ExecutedVersion"],
    "FunctionError": answer.get("FunctionError"),
    "ContentType": headers["content-type"],
    "Payload": answer["Payload"].read().decode(),
}
arn = created["FunctionArn"]
account = arn.split(":")[4]
same = {"do": "echo", "value": "same"}
forms = ["one", "one:$LATEST", "function:one", account + ":function:one", arn, arn + ":$LATEST"]
seen["names"] = [run(same, FunctionName=form)["Payload"].read().decode() for form in forms]
seen["names"].append(run(same, Qualifier="$LATEST")["Payload"].read().decode())

context = base64.b64encode(json.dumps({"custom": {"key": "value"}, "env": {}, "client": {}}).encode()).decode()
told = json.load(run({"do": "context"}, ClientContext=context, Qualifier="$LATEST")["Payload"])
assert told["client"]["custom"] == {"key": "value"}, told
assert told["arn"] == arn + ":$LATEST", told

answer = run({"do": "log"}, LogType="Tail")
assert json.load(answer["Payload"]) is None
seen["log"] = base64.b64decode(answer["LogResult"]).decode()
seen["log id"] = answer["ResponseMetadata"]["RequestId"]
answer = run({"do": "raise"})
assert "LogResult" not in answer and answer["StatusCode"] == 200
told = json.load(answer["Payload"])
seen["raised"] = [answer["FunctionError"], told["errorMessage"], told["errorType"]]
big = run({"do": "measure", "value": "x" * 5_000_000})
assert json.load(big["Payload"]) == 5_000_000

errors = client.exceptions
refused("taken", lambda: create("one"), errors.ResourceConflictException)
bad = lambda: client.invoke(FunctionName="one", Payload=b"{")
refused("not JSON", bad, errors.InvalidRequestContentException)
assert seen["errors"]["not JSON"].pop().startswith("Could not parse request body into json: Could not parse payload into json: ")
refused("too large", lambda: run("x" * 6_291_455))
accepted = run({}, InvocationType="Event")
assert (accepted["StatusCode"], accepted["Payload"].read(), accepted.get("ExecutedVersion")) == (202, b"", None)

for name in ["one", "two", "three", "four", "five"]:
    deleted = client.delete_function(FunctionName=name)
seen["deleted"] = deleted["ResponseMetadata"]["HTTPStatusCode"]
assert client.list_functions()["Functions"] == []
json.dump(seen, sys.stdout)
