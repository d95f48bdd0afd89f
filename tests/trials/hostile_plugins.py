"""Plugins of every fault, for `hostile.py`."""

from __future__ import annotations

import random
from pathlib import Path
from typing import Any

import yaml
from project import ROOT

from tests.core.helpers.faults import FAULTS, SPECS

#: What is raised: in turn what has no text, an odd text, or one that cannot be made.
RAISES = [
    "raise SystemExit(0)", "raise SystemExit('x')", "raise GeneratorExit", "raise StopIteration",
    "raise MemoryError", "raise RecursionError", "raise Exception", "raise AssertionError",
    "raise ExceptionGroup('g', [ValueError(1)])", "raise Unsayable", "raise Panic('a\\nb')",
    "raise ValueError('\\x1b[2J\\x1b]0;t\\x07')", "raise ValueError('\\udcff')", "1 / 0",
    "raise UnicodeDecodeError('utf-8', b'x', 0, 1, 'y')", "raise KeyError(b'\\0')", "no_such_name",
    "import no_such_module", "f = lambda: f(); f()", "raise OSError(28, 'No space left')",
    "raise BaseExceptionGroup('g', [SystemExit(1)])", "raise ValueError('x' * 10**6)",
    "raise NotImplementedError", "raise Odd", "raise InputError('x')", "raise WeightsError('y')",
]  # fmt: skip

PRELUDE = """
from instyle_core import *
from instyle_core.errors import InputError, WeightsError
import sys
class Unsayable(Exception):
    def __str__(self): raise ValueError("no text")
    __repr__ = __str__
class Panic(BaseException): pass
class Odd(Exception):
    def __str__(self): return 3
class Params_(LossParams):
    pass
class Value:
    def __repr__(self): raise Unsayable
    def __eq__(self, other): raise Unsayable
    __hash__ = None
ODD = Value()
def record(**more):
    given = dict(kind="loss", name="evil", params=Params_, factory="FACTORY", summary="evil")
    return Plugin(**{**given, **more})
"""

VALUES = [
    "None", "3", "''", "'\\x1b[2J'", "'\\udcff'", "[]", "{}", "ODD", "float('nan')", "'x' * 10**6",
    "(1,)", "(ODD,)", "object", "type", "Params", "lambda: 1", "10**5000", "b'x'", "'a:b:c'",
    "'no_such_module:X'", "'os:_exit'", "'sys:exit'", "'evil'", "'segmenter'", "True",
]  # fmt: skip

FIELDS = ["kind", "name", "params", "factory", "summary", "weights", "source", "api"]

RETURNS = [
    "None", "3", "'abc'", "ODD", "[ODD]", "[None]", "{'a': 1}", "(x for x in [record()])",
    "[record(), record()]", "iter(lambda: record(), 1).__class__", "[record()] * 3", "record()",
    "map(1, [2])", "(1 / 0 for _ in 'a')", "type('L', (list,), {'__iter__': lambda s: 1 / 0})()",
    "[record(name='evil-' + str(n)) for n in range(300)]", "print('printed') or [record()]",
]  # fmt: skip

PARAMETERS = [
    "x: object = ODD", "x: float = float('nan')", "weight: int = 1", "x: 'NoSuchType' = 1",
    "x: int = Field(default_factory=lambda: 1 / 0)", "model_config = {'extra': 'ignore'}",
    "x: 'Params_' = None", "use: str = 'x'", "x: str = '\\udcff'", "x: set = {1}",
    "x: type = int", "x: int = Field(1, json_schema_extra=lambda s: s.clear())",
    "x: int = Field(1, json_schema_extra={'description': 3, 'default': {1}})",
    "model_json_schema = None", "model_fields = None", "spec_keys = 3",
    "x: dict = {'a': float('inf')}", "def __init__(self, **k): raise SystemExit(0)",
    "def reads(self): raise Unsayable", "def reads(self): return ODD",
    "def pretrained(self): raise SystemExit(0)", "def pretrained(self): return [ODD]",
]  # fmt: skip


def install(site: Path, number: int, code: str | bytes, parts: str = "") -> list[str]:
    """A folder as pip leaves it, with one plugin package; the path to add."""
    name = f"instyle_evil_{number}"
    package, info = site / name, site / f"{name}-1.0.dist-info"
    package.mkdir(parents=True)
    info.mkdir()
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[instyle]\n{name} = {name}\n")
    data = code if isinstance(code, bytes) else code.replace("FACTORY", f"{name}.parts:Make")
    (package / "__init__.py").write_bytes(data if isinstance(data, bytes) else data.encode())
    (package / "parts.py").write_text(parts)
    return [str(site)]


def indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.splitlines())


def plugin_list(number: int, chance: random.Random, site: Path) -> tuple[str, list[str]]:
    """A package whose import, hooks or records are at fault."""
    how = chance.choice(["import", "hook", "returns", "field", "parameters", "metadata", "source"])
    fault: Any = ""
    hook = "@hookimpl\ndef instyle_plugins():\n"
    plain = PRELUDE + hook + "    return [record()]\n"
    if how == "import":
        fault = chance.choice([*RAISES, "print('printed')", "sys.stdout.buffer.write(b'\\xff')"])
        code: str | bytes = PRELUDE + fault + "\n" + hook + "    return [record()]\n"
    elif how == "hook":
        fault = chance.choice(RAISES)
        which = chance.choice(["instyle_plugins", "instyle_commands"])
        code = PRELUDE + f"@hookimpl\ndef {which}():\n" + indented(fault)
    elif how == "returns":
        fault = chance.choice(RETURNS)
        which = chance.choice(["instyle_plugins", "instyle_plugins", "instyle_commands"])
        code = PRELUDE + f"@hookimpl\ndef {which}():\n    return {fault}\n"
    elif how == "field":
        key, value = fault = chance.choice(FIELDS), chance.choice(VALUES)
        code = PRELUDE + hook + f"    return [record(**{{'{key}': {value}}})]\n"
    elif how == "parameters":
        fault = chance.choice(PARAMETERS)
        code = plain.replace("class Params_(LossParams):\n    pass", "").replace(
            "ODD = Value()",
            f"ODD = Value()\nfrom pydantic import Field\nclass Params_(LossParams):\n    {fault}\n",
        )
    elif how == "source":
        fault = chance.choice(["\0", "def (", "x = '\udcff'", "\ufeff\ufeff", "(" * 5000])
        code = fault.encode("utf-8", "surrogatepass")
    else:
        code = plain
    path = install(site, number, code)
    if how == "metadata":
        fault = chance.choice(["[instyle", "[instyle]\nx", "[instyle]\na = :::\n", "\udcff\0[\n["])
        file = next(site.glob("*.dist-info")) / chance.choice(["entry_points.txt", "METADATA"])
        file.write_bytes(fault.encode("utf-8", "surrogateescape"))
    return f"{how} {fault}"[:200], path


#: What a loss gives back instead of a number with a gradient.
LOSSES = [
    "None", "1", "'x'", "view.image", "view.image.sum() * float('nan')", "view.image.sum().int()",
    "view.image.sum() * float('inf')", "-view.image.sum() * 1e30", "view.image.detach().sum()",
    "view.image.sum()[None]", "view.image.sum().to(torch.complex64)", "view.image.sum().bool()",
    "view.image.sum().sqrt() * 0 + view.image.mul(0).sqrt().sum()", "ODD", "(1, 2)",
    "view.image.sum().to('meta')", "view.image.mul_(0).sum()", "view.features('x', 'y').sum()",
    "view.mask((-1, 10**9)).sum()", "torch.zeros(2**45)", "view.at(view.image)",
    "view.random(2**40)", "setattr(view, 'image', 1)", "view._view.image.zero_()", "{}.x",
]  # fmt: skip


def plugin_run(number: int, chance: random.Random, spec: Path) -> tuple[str, list[str]]:
    """A spec that uses a plugin that breaks a promise."""
    data = yaml.safe_load(spec.read_bytes())
    site = spec.parents[1] / "site"
    if chance.random() < 0.5:
        known = [fault for fault in FAULTS if fault[0] in SPECS]
        kind, fault, *_ = chance.choice(known)
        segmenter = {"use": "stencil", "path": "mask-0.png"}
        data |= {"objects": [{}], "segmenter": segmenter}
        changes = SPECS[kind]({"use": "bad", "fault": fault})
        text = yaml.safe_dump({**data, **changes}).replace("mask.png", "mask-0.png")
        spec.write_text(text, encoding="utf-8")
        return f"{kind} {fault}", [str(ROOT / "tests" / "core" / "helpers" / "broken")]
    how = chance.choice(["import", "made", "prepare", "call", "returns", "returns"])
    fault = chance.choice(LOSSES if how == "returns" else RAISES)
    bodies = {"made": "pass", "prepare": "pass", "call": "return view.image.sum()"}
    bodies |= {how: fault} if how != "returns" else {"call": f"return {fault}"}
    parts = PRELUDE + "import torch\nclass Make(Loss):\n"
    for signature, key in {
        "__init__(self, params)": "made",
        "prepare(self, targets)": "prepare",
        "__call__(self, view)": "call",
    }.items():
        parts += f"    def {signature}:\n" + indented(indented(bodies[key])) + "\n"
    parts = (fault + "\n" if how == "import" else "") + parts
    code = PRELUDE + "@hookimpl\ndef instyle_plugins():\n    return [record()]\n"
    data["losses"] = [{"use": "evil"}]
    spec.write_text(yaml.safe_dump(data), encoding="utf-8")
    return f"loss {how} {fault}"[:200], install(site, number, code, parts)
