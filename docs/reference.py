"""Writes docs/reference.md from the code: `python docs/reference.py [--check]`."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from instyle_core.config.optimizer import LBFGS, Adam
from instyle_core.config.schema import rows, spec_schema
from instyle_core.config.select import Select
from instyle_core.config.spec import ObjectSpec, Style
from instyle_core.interfaces.kinds import KINDS
from instyle_core.interfaces.params import SegmenterParams
from instyle_core.plugin.registry import Registry

TARGET = Path(__file__).with_name("reference.md")

HEAD = """\
# Spec reference

<!-- Written by docs/reference.py from the code; change that, not this. -->

A spec is a YAML (or JSON) file. Paths in it are relative to the file's folder; with `--set` they
are relative to the working directory. `instyle pipeline schema` prints this as JSON Schema, with
the parameters of all plugins that are installed; `instyle pipeline validate SPEC` checks a spec
without running it.

"""

SECTIONS = {
    "An object": (
        ObjectSpec,
        "Each entry of `objects`. What is left out is as the top level has it.",
    ),
    "`select`": (
        Select,
        "Which object is meant. Coordinates are pixels from the photo's top left.",
    ),
    "`style`": (Style, "A file name alone stands for `{images: [name]}`."),
    "`optimizer`: adam": (Adam, "`optimizer: {use: adam, ...}`, the default."),
    "`optimizer`: lbfgs": (LBFGS, "`optimizer: {use: lbfgs, ...}`."),
}

USES = """\
Segmenters, refiners, losses, rankers, mergers and extractors are plugins: `{use: NAME, ...}` with
the plugin's own parameters, or just the name. A loss has a `weight` too (a number of at least 0; 1
when left out). A segmenter has `refine`: what lets its masks follow the photo's edges, a refiner
(`{use: NAME, ...}` or just the name) or `none`; left out, it is the one that is named below.
`losses` and `merger` may be left out: then they are as in `instyle pipeline init -o -`.
"""


def table(schema: Mapping[str, Any]) -> str:
    """A Markdown table of the keys of an object's schema."""
    lines = ["| key | value | default | meaning |", "| --- | --- | --- | --- |"]
    for name, kind, default, meaning in rows(schema):
        cells = [f"`{name}`", kind, f"`{default}`" if default else "", meaning]
        lines.append("| " + " | ".join(cell.replace("|", "\\|") for cell in cells) + " |")
    return "\n".join(lines) + "\n"


def reference() -> str:
    """The whole page."""
    registry = Registry.installed()
    parts = [HEAD, "## The top level\n\n", table(spec_schema(registry)), "\n", USES]
    for title, (model, text) in SECTIONS.items():
        parts.append(f"\n## {title}\n\n{text}\n\n{table(model.model_json_schema())}")
    parts.append("\n# Plugins that come with instyle\n")
    for kind in KINDS:
        for entry in registry.entries(kind):
            plugin = entry.plugin
            if entry.source.name != "instyle":
                continue
            parts.append(f"\n## {kind} `{plugin.name}`\n\n{plugin.summary}\n")
            if plugin.source:
                parts.append(f"\nSource: {plugin.source}.\n")
            if kind == "segmenter":
                usual = issubclass(plugin.params, SegmenterParams) and plugin.params.refiner()
                parts.append(f"\n`refine` when left out: `{usual or 'none'}`.\n")
            schema = plugin.params.model_json_schema()
            parts.append(f"\n{table(schema)}" if schema.get("properties") else "\nNo parameters.\n")
    return "".join(parts)


if __name__ == "__main__":
    page = reference()
    if "--check" in sys.argv:
        if not TARGET.is_file() or TARGET.read_text(encoding="utf-8") != page:
            sys.exit(f"{TARGET} is out of date; run `make docs`")
    else:
        TARGET.write_text(page, encoding="utf-8")
