"""What a plugin module and its records have to be; what is not is refused, with the reason."""

from __future__ import annotations

import inspect
import json
import re
from typing import TYPE_CHECKING

import pluggy

from instyle_core.errors import InputError, first_line
from instyle_core.interfaces.kinds import KINDS, RESERVED
from instyle_core.plugin import hookspecs
from instyle_core.plugin.hookspecs import API, Plugin

if TYPE_CHECKING:
    from instyle_core.interfaces.params import Params

#: What the name of a plugin looks like.
NAME = "[a-z0-9]+(-[a-z0-9]+)*"


def check_hooks(manager: pluggy.PluginManager, plugin: str) -> None:
    """Check that a module that pluggy knows implements hooks, and only hooks that there are.

    Raises:
        InputError: it does not.
    """
    known = [name for name, _ in inspect.getmembers(hookspecs) if name.startswith("instyle_")]
    hint = f"the hooks are {', '.join(known)}"
    callers = manager.get_hookcallers(manager.get_plugin(plugin))
    if not callers:
        raise InputError("it implements no hook; is an @hookimpl missing?", hint=hint)
    for caller in callers:
        if caller.name not in known:
            what = f"it implements the hook '{caller.name}', which does not exist"
            raise InputError(what, hint=hint)


def problem_of_record(record: object) -> str | None:
    """What is wrong with a record, or None."""
    from instyle_core.weights.record import Weights

    if not isinstance(record, Plugin):
        return f"instyle_plugins returned {record!r}, which is no instyle_core.Plugin"
    if record.api != API:
        age = "newer" if isinstance(record.api, int) and record.api > API else "other"
        return (
            f"it was written for {age} plugin interfaces (api={record.api!r}) than this instyle "
            f"has (api={API}); {'upgrade instyle' if age == 'newer' else 'upgrade the plugin'}"
        )
    if record.kind not in list(KINDS):  # it may be unhashable
        return f"its kind is {record.kind!r}; kinds are {', '.join(KINDS)}"
    if not isinstance(record.name, str) or not re.fullmatch(NAME, record.name):
        return f"its name is {record.name!r}; names are lower-case letters, digits and dashes"
    if not isinstance(record.factory, str) or record.factory.count(":") != 1:
        return f"its factory is {record.factory!r}, not of the form 'package.module:Class'"
    base = KINDS[record.kind].params
    if not (isinstance(record.params, type) and issubclass(record.params, base)):
        return f"its params are {record.params!r}, no subclass of instyle_core.{base.__name__}"
    if not (isinstance(record.summary, str) and isinstance(record.source, str)):
        return "its summary or source is not a text"
    weights = record.weights
    if not (isinstance(weights, tuple) and all(isinstance(w, Weights) for w in weights)):
        return f"its weights are {weights!r}, not a tuple of instyle_core.Weights"
    for file in weights:
        texts = (file.name, file.file, file.license, file.summary, file.url or file.package)
        if not all(isinstance(text, str) for text in texts):
            return (
                f"its weights {file.name!r} have a name, file, license or the like that is no text"
            )
        if not isinstance(file.megabytes, int | float) or not isinstance(file.beside, tuple):
            return f"its weights {file.name!r} have a size that is no number, or files in no tuple"
        hash(file.beside)
    return None


def problem_of_params(params: type[Params]) -> str | None:
    """Why a spec or its schema cannot have these parameters, or None."""
    try:
        if not params.__pydantic_complete__:  # a type was not defined yet when the class was
            params.model_rebuild()
        schema = params.model_json_schema()
        json.dumps(schema, allow_nan=False, ensure_ascii=False).encode()
        if not isinstance(schema.get("properties", {}), dict):
            raise TypeError("the properties of their schema are no mapping")
        if not isinstance(schema.get("required", []), list):
            raise TypeError("what their schema requires is no list")
    except Exception as error:
        return f"its parameters cannot be described: {first_line(error)}"
    fields = {*params.model_fields, *params.spec_keys()}
    if taken := sorted(fields & RESERVED):
        return f"it has a parameter '{taken[0]}', which is a key of the spec's own; rename it"
    for name, field in params.model_fields.items():
        key, written = field.validation_alias or name, field.serialization_alias or name
        if written not in params.spec_keys():
            return f"its parameter '{key}' is written as '{written}', which it does not take"
    return None
