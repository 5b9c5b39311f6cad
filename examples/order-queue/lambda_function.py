"""Takes orders from an SQS queue. A bad order goes back to the queue; the good ones of its batch do not."""

import json
from decimal import Decimal, InvalidOperation


def lambda_handler(event, context):
    failed = []
    for record in event["Records"]:
        message_id = record["messageId"]
        try:
            order = json.loads(record["body"], parse_float=Decimal)
            print(f"order {order['id']}: {total(order['items'])} EUR")
        except (ValueError, KeyError, TypeError, InvalidOperation) as error:
            print(f"message {message_id} is no order: {error!r}")
            failed.append({"itemIdentifier": message_id})
    # SQS keeps what is named here (ReportBatchItemFailures) and deletes the rest.
    return {"batchItemFailures": failed}


def total(items):
    """The price of all items. Decimal, because 3 × 0.10 must be 0.30."""
    if not items:
        raise ValueError("nothing was ordered")
    amount = Decimal(0)
    for item in items:
        quantity, price = item["quantity"], Decimal(item["price"])
        if not isinstance(quantity, int) or quantity < 1 or price < 0:
            raise ValueError(f"quantity {quantity} at {price}")
        amount += quantity * price
    return amount.quantize(Decimal("0.01"))
