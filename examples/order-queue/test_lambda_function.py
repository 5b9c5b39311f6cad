import contextlib
import io
import json
import pathlib
import unittest

from lambda_function import lambda_handler, total


class OrderQueue(unittest.TestCase):
    def handle(self, *bodies):
        records = [{"messageId": f"m{number}", "body": body} for number, body in enumerate(bodies)]
        log = io.StringIO()
        with contextlib.redirect_stdout(log):
            answer = lambda_handler({"Records": records}, None)
        return [failure["itemIdentifier"] for failure in answer["batchItemFailures"]], log.getvalue()

    def test_the_event_of_the_readme(self):
        event = json.loads(pathlib.Path(__file__).with_name("event.json").read_text(encoding="utf-8"))
        failed, log = self.handle(*(record["body"] for record in event["Records"]))
        self.assertEqual(failed, ["m1"])
        self.assertIn("order 1001: 12.30 EUR", log)

    def test_money_is_exact(self):
        self.assertEqual(str(total([{"quantity": 3, "price": "0.10"}])), "0.30")
        self.assertEqual(self.handle('{"id": 1, "items": [{"quantity": 3, "price": 0.10}]}')[1], "order 1: 0.30 EUR\n")

    def test_only_bad_orders_go_back(self):
        good = '{"id": 1, "items": [{"quantity": 1, "price": "5"}]}'
        bad = [
            "no JSON",
            "[]",
            "{}",
            '{"id": 2, "items": []}',
            '{"id": 2, "items": 7}',
            '{"id": 2, "items": [{"quantity": 0, "price": "5"}]}',
            '{"id": 2, "items": [{"quantity": 1, "price": "five"}]}',
            '{"id": 2, "items": [{"quantity": 1, "price": "NaN"}]}',
            '{"id": 2, "items": [{"quantity": 1, "price": "1e99"}]}',
            '{"id": 2, "items": [{"quantity": 1}]}',
        ]
        failed, _ = self.handle(good, *bad, good)
        self.assertEqual(failed, [f"m{number + 1}" for number in range(len(bad))])


if __name__ == "__main__":
    unittest.main()
