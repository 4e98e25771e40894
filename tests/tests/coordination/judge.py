"""Judges in-store messages by their JSON schemas: judge.py SCHEMAS < [[topic, body], ...]

A later version may add fields, so the schemas allow them; the agent of this version must not send any that its own
schemas do not name, so they are closed here.
"""
import json
import pathlib
import sys

from jsonschema import Draft202012Validator, FormatChecker

BODIES = {
    "lane/presence": "Presence", "lane/state": "LaneState", "lane/ask": "Ask", "lane/reply": "Reply",
    "ticket/changed": "Ticket", "price/changed": "Price", "device/state": "Device", "node/presence": "Presence",
}


def closed(schema):
    if isinstance(schema, dict):
        schema = {key: closed(value) for key, value in schema.items()}
        if "properties" in schema and "allOf" not in schema:
            schema.setdefault("additionalProperties", False)
    elif isinstance(schema, list):
        schema = [closed(value) for value in schema]
    return schema


def validator(folder, name):
    schema = closed(json.loads((folder / f"{name}.json").read_text()))
    Draft202012Validator.check_schema(schema)
    return Draft202012Validator(schema, format_checker=FormatChecker())


folder = pathlib.Path(sys.argv[1])
validators = {name: validator(folder, name) for name in set(BODIES.values())}
messages, faults = json.load(sys.stdin), []
for topic, body in messages:
    _, _, room, _, channel = topic.split("/")
    for error in validators[BODIES[f"{room}/{channel}"]].iter_errors(body):
        faults.append(f"{topic} at {list(error.absolute_path)}: {error.message}")
if faults:
    sys.exit("\n".join(faults))
print(f"{len(messages)} messages")
