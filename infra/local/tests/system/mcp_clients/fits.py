"""Holds answers against schemas, as clients do: reads both from standard input."""

import json
import sys

from jsonschema import Draft202012Validator, FormatChecker

asked = json.load(sys.stdin)
validators = {
    tool: Draft202012Validator(schema, format_checker=FormatChecker()) for tool, schema in asked["schemas"].items()
}
fit = 0
for tool, answer in asked["answers"]:
    faults = [f"{fault.json_path}: {fault.message}" for fault in validators[tool].iter_errors(answer)]
    fit += not faults
    if faults:
        print(tool, faults, answer, file=sys.stderr)
print(fit, "fit")
