"""What pydantic finds wrong, in words for people who write specs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic_core import ErrorDetails, InitErrorDetails, PydanticCustomError

from instyle_core.errors import did_you_mean

#: What would be right, by the type of the error; the fields are pydantic's.
_RIGHT = {
    "bool_parsing": "should be true or false",
    "bool_type": "should be true or false",
    "dict_type": "should be a mapping, such as {{key: value}}",
    "enum": "should be {expected}",
    "finite_number": "should be a finite number",
    "float_parsing": "should be a number",
    "float_type": "should be a number",
    "greater_than": "should be above {gt}",
    "greater_than_equal": "should be at least {ge}",
    "int_from_float": "should be a whole number",
    "int_parsing": "should be a whole number",
    "int_parsing_size": "should be a whole number of fewer digits",
    "int_type": "should be a whole number",
    "less_than": "should be below {lt}",
    "less_than_equal": "should be at most {le}",
    "list_type": "should be a list, such as [a, b]",
    "literal_error": "should be {expected}",
    "model_attributes_type": "should be a mapping, such as {{key: value}}",
    "model_type": "should be a mapping, such as {{key: value}}",
    "path_type": "should be the name of a file",
    "string_pattern_mismatch": "should match the pattern {pattern}",
    "string_type": "should be a text, in quotes if need be",
    "string_unicode": "should be a text in UTF-8",
    "tuple_type": "should be a list, such as [a, b]",
    "union_tag_invalid": "{discriminator} should be one of {expected_tags}",
}


def in_words(error: ErrorDetails) -> str:
    """What would be right, and what there is instead."""
    kind, fields, value = error["type"], error.get("ctx", {}), error["input"]
    if kind in _RIGHT:
        value = fields.get("tag", value)
        right = _RIGHT[kind].format(**{key: _whole(item) for key, item in fields.items()})
        return f"{right}; it is {shown(value)}"
    if kind in ("missing", "extra_forbidden"):
        last = error["loc"][-1]
        what = "key" if isinstance(last, str) else "entry"  # tuples lack entries
        return f"{'missing' if kind == 'missing' else 'unknown'} {what} '{last}'"
    if kind == "too_short":
        return f"should have at least {_entries(fields['min_length'])}; it has {len(value)}"
    if kind == "too_long":
        return f"should have at most {_entries(fields['max_length'])}; it has {len(value)}"
    # What a validator of a model says, and what has been said here for an inner model.
    message = error["msg"].removeprefix("Value error, ").removeprefix("Assertion failed, ")
    return message.replace("Input should", "should")


def problem(message: str, location: tuple[str | int, ...], value: Any = None) -> InitErrorDetails:
    """An error of our own, for a `ValidationError`."""
    # The message is taken as it is: braces in it are no fields. pydantic fails at halves of
    # characters, which keys and names of files may have.
    message = message.encode("utf-8", "backslashreplace").decode()
    error = PydanticCustomError("instyle", "{message}", {"message": message})
    return InitErrorDetails(type=error, loc=location, input=value)


def unknown_keys(data: Mapping[str, Any], keys: Mapping[str, str]) -> list[InitErrorDetails]:
    """An error for each key that there is not, with those that are near or all that there are.

    Args:
        data: what is given.
        keys: what can be given, each with the name that it has now; old names are not told.
    """
    known = list(dict.fromkeys(keys.values()))
    there = f"the keys here are {', '.join(known)}" if known else "there are none here"
    problems = []
    for key in data:
        if key not in keys:
            right = did_you_mean(str(key), known, most=1) or there
            problems.append(problem(f"unknown key '{key}'; {right}", (str(key),), data[key]))
    return problems


def shown(value: Any) -> str:
    """A value as it may have been written."""
    if value is None:
        return "empty"
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, dict):
        return "a mapping"
    if isinstance(value, list | tuple):
        text = f"[{', '.join(map(shown, value))}]"
        return "a list" if len(text) > 60 else text
    text = str(_whole(value))
    text = f"{text[:60]}..." if len(text) > 60 else text
    return f"'{text}'" if isinstance(value, str) else text


def _whole(value: Any) -> Any:
    small = isinstance(value, float) and abs(value) < 1e15
    return int(value) if small and value.is_integer() else value


def _entries(count: int) -> str:
    return f"{count} {'entry' if count == 1 else 'entries'}"
