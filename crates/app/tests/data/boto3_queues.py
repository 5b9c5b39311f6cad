"""boto3 as it is, against the queues of the engine whose address is the first argument. Prints what it saw as JSON."""

import hashlib
import json
import struct
import sys
import threading
import time

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

(endpoint,) = sys.argv[1:]
# One attempt: what the engine answers is seen as it is.
config = Config(retries={"total_max_attempts": 1})
client = boto3.client("sqs", endpoint_url=endpoint, config=config)
seen = {"errors": {}}


def refused(name, call, **parameters):
    try:
        call(**parameters)
    except ClientError as error:
        told = error.response["Error"]
        assert type(error).__name__ in (told["QueryErrorCode"], "ClientError"), (error, told)
        status = error.response["ResponseMetadata"]["HTTPStatusCode"]
        seen["errors"][name] = [told["Code"], status, told["Message"]]
    else:
        raise AssertionError("{} is not refused".format(name))


def md5_of_attributes(attributes):
    """As AWS documents it, written anew."""
    digest = hashlib.md5()
    for name in sorted(attributes):
        value = attributes[name]
        for part in (name.encode(), value["DataType"].encode()):
            digest.update(struct.pack("!I", len(part)) + part)
        data = value["BinaryValue"] if "BinaryValue" in value else value["StringValue"].encode()
        digest.update(b"\x02" if "BinaryValue" in value else b"\x01")
        digest.update(struct.pack("!I", len(data)) + data)
    return digest.hexdigest()


url = client.create_queue(QueueName="q", Attributes={"VisibilityTimeout": "60"}, tags={"k": "v"})["QueueUrl"]
assert url == endpoint + "/000000000000/q", url
assert client.create_queue(QueueName="q")["QueueUrl"] == url
assert client.get_queue_url(QueueName="q")["QueueUrl"] == url
assert client.list_queues()["QueueUrls"] == [url]
assert client.list_queue_tags(QueueUrl=url)["Tags"] == {"k": "v"}
client.tag_queue(QueueUrl=url, Tags={"l": "w"})
client.untag_queue(QueueUrl=url, TagKeys=["k"])
assert client.list_queue_tags(QueueUrl=url)["Tags"] == {"l": "w"}
# Only the path of a URL counts.
url = "https://sqs.us-east-1.amazonaws.com/000000000000/q"

body = "text \u00e9\U0001f600\t\r\n<&>\""
attributes = {
    "text": {"DataType": "String.x", "StringValue": "v\u00e9"},
    "number": {"DataType": "Number", "StringValue": "-1.5"},
    "bytes": {"DataType": "Binary", "BinaryValue": b"\x00\xff"},
}
trace = "Root=1-5759e988-bd862e3fe1be46a994272793;Sampled=1"
system = {"AWSTraceHeader": {"DataType": "String", "StringValue": trace}}
sent = client.send_message(
    QueueUrl=url, MessageBody=body, MessageAttributes=attributes, MessageSystemAttributes=system
)
assert sent["MD5OfMessageBody"] == hashlib.md5(body.encode()).hexdigest()
assert sent["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
assert sent["MD5OfMessageSystemAttributes"] == md5_of_attributes(system)
(message,) = client.receive_message(
    QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"], MessageSystemAttributeNames=["All"]
)["Messages"]
assert (message["MessageId"], message["Body"]) == (sent["MessageId"], body)
assert (message["MD5OfBody"], message["MD5OfMessageAttributes"]) == (
    sent["MD5OfMessageBody"], sent["MD5OfMessageAttributes"])
assert message["MessageAttributes"] == attributes, message
assert message["Attributes"]["AWSTraceHeader"] == trace
assert abs(int(message["Attributes"]["SentTimestamp"]) - time.time() * 1000) < 60000
seen["attributes"] = sorted(message["Attributes"])

# Nobody else gets it, until it is given back.
assert "Messages" not in client.receive_message(QueueUrl=url)
client.change_message_visibility(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
(again,) = client.receive_message(QueueUrl=url, AttributeNames=["ApproximateReceiveCount"],
                                  MessageAttributeNames=["te.*"])["Messages"]
assert again["Attributes"] == {"ApproximateReceiveCount": "2"}
assert again["MD5OfMessageAttributes"] == md5_of_attributes({"text": attributes["text"]})
assert list(again["MessageAttributes"]) == ["text"]
refused("old receipt", client.change_message_visibility,
        QueueUrl=url, ReceiptHandle=message["ReceiptHandle"], VisibilityTimeout=0)
seen["errors"]["old receipt"][2] = seen["errors"]["old receipt"][2].replace(message["ReceiptHandle"], "HANDLE")
client.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])
client.delete_message(QueueUrl=url, ReceiptHandle=again["ReceiptHandle"])

# A message comes back by itself while somebody waits for it.
client.send_message(QueueUrl=url, MessageBody="back")
client.receive_message(QueueUrl=url, VisibilityTimeout=1)
begun = time.monotonic()
(back,) = client.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]
assert 0.5 < time.monotonic() - begun < 10, "it came back after {} s".format(time.monotonic() - begun)
client.delete_message(QueueUrl=url, ReceiptHandle=back["ReceiptHandle"])

# Whoever waits is woken by a message.
woken = []
other = boto3.client("sqs", endpoint_url=endpoint, config=config)
waiting = threading.Thread(
    target=lambda: woken.extend(other.receive_message(QueueUrl=url, WaitTimeSeconds=20)["Messages"]))
begun = time.monotonic()
waiting.start()
client.send_message(QueueUrl=url, MessageBody="wake")
waiting.join()
assert time.monotonic() - begun < 10, "it was not woken"
client.delete_message(QueueUrl=url, ReceiptHandle=woken[0]["ReceiptHandle"])

# Batches: each entry has its own answer.
batch = client.send_message_batch(QueueUrl=url, Entries=[
    {"Id": "one", "MessageBody": "1"},
    {"Id": "late", "MessageBody": "2", "DelaySeconds": 900},
    {"Id": "too-late", "MessageBody": "3", "DelaySeconds": 901},
    {"Id": "four", "MessageBody": "4", "MessageAttributes": attributes},
])
assert [one["Id"] for one in batch["Successful"]] == ["one", "late", "four"]
assert batch["Successful"][2]["MD5OfMessageAttributes"] == md5_of_attributes(attributes)
seen["failed"] = batch["Failed"]


def counts():
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible",
             "ApproximateNumberOfMessagesDelayed"]
    shown = client.get_queue_attributes(QueueUrl=url, AttributeNames=names)["Attributes"]
    return [int(shown[name]) for name in names]


seen["counts"] = [counts()]
messages = client.receive_message(QueueUrl=url, MaxNumberOfMessages=10)["Messages"]
seen["received"] = sorted(message["Body"] for message in messages)
seen["counts"].append(counts())
entries = [{"Id": str(at), "ReceiptHandle": message["ReceiptHandle"]} for at, message in enumerate(messages)]
changed = client.change_message_visibility_batch(
    QueueUrl=url, Entries=[dict(entry, VisibilityTimeout=43000) for entry in entries])
assert [one["Id"] for one in changed["Successful"]] == ["0", "1"]
deleted = client.delete_message_batch(QueueUrl=url, Entries=entries + [{"Id": "x", "ReceiptHandle": "garbage"}])
assert [one["Id"] for one in deleted["Successful"]] == ["0", "1"]
seen["not deleted"] = deleted["Failed"]
seen["counts"].append(counts())
client.purge_queue(QueueUrl=url)
seen["counts"].append(counts())

# What was received too often goes to the dead-letter queue.
dead = client.create_queue(QueueName="dead")["QueueUrl"]
arn = client.get_queue_attributes(QueueUrl=dead, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
policy = json.dumps({"deadLetterTargetArn": arn, "maxReceiveCount": 2})
client.set_queue_attributes(QueueUrl=url, Attributes={"RedrivePolicy": policy, "VisibilityTimeout": "0"})
assert len(client.list_dead_letter_source_queues(QueueUrl=dead)["queueUrls"]) == 1
client.send_message(QueueUrl=url, MessageBody="poison")
for _ in range(2):
    assert client.receive_message(QueueUrl=url)["Messages"][0]["Body"] == "poison"
assert "Messages" not in client.receive_message(QueueUrl=url)
(letter,) = client.receive_message(QueueUrl=dead, MessageSystemAttributeNames=["DeadLetterQueueSourceArn"])["Messages"]
seen["dead letter"] = [letter["Body"], letter["Attributes"]]

# The largest message, in the widest writing that JSON has.
largest = "\u00e9" * 524288
client.send_message(QueueUrl=dead, MessageBody=largest)
(message,) = client.receive_message(QueueUrl=dead)["Messages"]
assert message["Body"] == largest

pages = []
for number in range(3):
    client.create_queue(QueueName="page-{}".format(number))
for page in client.get_paginator("list_queues").paginate(QueueNamePrefix="page", PaginationConfig={"PageSize": 2}):
    pages.append([found.rsplit("/", 1)[1] for found in page["QueueUrls"]])
seen["pages"] = pages

entry = {"Id": "a", "MessageBody": "m"}
refused("taken", client.create_queue, QueueName="q", Attributes={"DelaySeconds": "7"})
refused("name", client.create_queue, QueueName="a.b")
refused("FIFO", client.create_queue, QueueName="q.fifo", Attributes={"FifoQueue": "true"})
refused("attribute", client.create_queue, QueueName="r", Attributes={"Nothing": "1"})
refused("attribute's value", client.set_queue_attributes, QueueUrl=url, Attributes={"DelaySeconds": "901"})
refused("no queue", client.send_message, QueueUrl=endpoint + "/000000000000/none", MessageBody="m")
refused("other account", client.send_message, QueueUrl=endpoint + "/111111111111/q", MessageBody="m")
refused("characters", client.send_message, QueueUrl=url, MessageBody="\x00")
refused("too long", client.send_message, QueueUrl=url, MessageBody="m" * 1048577)
refused("far too long", client.send_message, QueueUrl=url, MessageBody="m" * 5000000)
refused("batch too long", client.send_message_batch, QueueUrl=url,
        Entries=[{"Id": str(at), "MessageBody": "m" * 600000} for at in range(2)])
refused("no entries", client.send_message_batch, QueueUrl=url, Entries=[])
refused("many entries", client.delete_message_batch, QueueUrl=url,
        Entries=[{"Id": str(at), "ReceiptHandle": "h"} for at in range(11)])
refused("id twice", client.send_message_batch, QueueUrl=url, Entries=[entry, entry])
refused("id", client.send_message_batch, QueueUrl=url, Entries=[dict(entry, Id="invalid:id")])
refused("number", client.receive_message, QueueUrl=url, MaxNumberOfMessages=11)
refused("receipt", client.delete_message, QueueUrl=url, ReceiptHandle="garbage")
refused("purge", client.purge_queue, QueueUrl=url)
refused("task", client.start_message_move_task, SourceArn=arn)

client.delete_queue(QueueUrl=url)
refused("deleted", client.receive_message, QueueUrl=url)
print(json.dumps(seen))
