import base64
import json
import pathlib
import unittest

from lambda_function import BadInput, lambda_handler


def columns(text, **more):
    return lambda_handler({"csv": text, **more}, None)["columns"]


class CsvSummary(unittest.TestCase):
    def test_the_event_of_the_readme(self):
        event = json.loads(pathlib.Path(__file__).with_name("event.json").read_text(encoding="utf-8"))
        answer = lambda_handler(event, None)
        self.assertEqual(answer["rows"], 5)
        self.assertEqual(
            answer["columns"]["temperature"], {"count": 4, "distinct": 4, "min": -3.5, "max": 31.0, "mean": 13.5}
        )
        self.assertEqual(answer["columns"]["city"], {"count": 5, "distinct": 4, "min": "Bergen", "max": "São Paulo"})

    def test_only_numbers_have_a_mean(self):
        for text in ["1\nx", "nan\n1", "1_000\n2", "1e999\n2", "٣\n1"]:
            with self.subTest(text):
                self.assertNotIn("mean", columns(f"a\n{text}")["a"])
        self.assertEqual(columns("a\n .5 \n-1.\n+2e1")["a"]["mean"], 6.5)

    def test_empty_values_do_not_count(self):
        self.assertEqual(columns("a,b\n1,\n2, \n")["b"], {"count": 0, "distinct": 0})

    def test_quotes_delimiters_and_files(self):
        self.assertEqual(columns('a;b\n"x;\ny";2', delimiter=";")["a"]["max"], "x;\ny")
        file = base64.b64encode("\ufeffname\r\nÅse\r\n".encode()).decode()
        self.assertEqual(lambda_handler({"csv_base64": file}, None)["columns"]["name"]["count"], 1)

    def test_bad_input_is_refused_with_the_reason(self):
        cases = [
            ([], "either csv"),
            ({}, "either csv"),
            ({"csv": "a", "csv_base64": "YQ=="}, "either csv"),
            ({"csv": 7}, "must be strings"),
            ({"csv_base64": "a"}, "not base64"),
            ({"csv_base64": "/w=="}, "not UTF-8"),
            ({"csv": ""}, "no header"),
            ({"csv": "a,a"}, "same name"),
            ({"csv": "a,b\n1,2\n3"}, "line 3 has 1 values, the header 2"),
            ({"csv": 'a\n"x'}, "unexpected end of data"),
            ({"csv": "a", "delimiter": "--"}, "one character"),
        ]
        for event, reason in cases:
            with self.subTest(event=event), self.assertRaisesRegex(BadInput, reason):
                lambda_handler(event, None)


if __name__ == "__main__":
    unittest.main()
