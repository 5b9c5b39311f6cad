"""The measured function in Python: answers each event with itself."""


def handler(event, context):
    return event
