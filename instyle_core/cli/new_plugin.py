"""A plugin package to start from: ``instyle plugins new``.

The files are those of ``templates/common`` and ``templates/KIND``, with ``$`` placeholders filled
in; the folder ``package`` there becomes the importable package.
"""

from __future__ import annotations

import keyword
import re
import tempfile
from collections.abc import Iterator, Mapping
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from string import Template

import instyle_core
from instyle_core.errors import InputError, InstyleError
from instyle_core.interfaces.kinds import KINDS
from instyle_core.plugin.registry import Registry

_TEMPLATES = Path(__file__).with_name("templates")


def write_package(kind: str, name: str, folder: Path | None = None) -> Path:
    """Write a whole publishable package with one plugin in it and a test that passes.

    Args:
        kind: ``segmenter``, ``refiner``, ``extractor``, ``loss``, ``ranker`` or ``merger``.
        name: of the plugin, such as ``my-loss``.
        folder: where to; by default ``instyle-NAME`` in the working directory. It must be empty if
            it is there.

    Returns:
        The folder.

    Raises:
        InputError: the name cannot be used, or the folder has something in it.
        InstyleError: the files cannot be written.
    """
    title = "".join(part.capitalize() for part in name.split("-"))
    values = {
        "kind": kind,
        "name": name,
        "package": f"instyle-{name}",
        "module": f"instyle_{name.replace('-', '_')}",
        "Class": title.removesuffix(kind.capitalize()) + kind.capitalize(),
        "Params": f"{title}Params",
        "versions": _versions(version("instyle")),
    }
    _check(kind, name, values)
    folder = folder or Path(f"instyle-{name}")
    if folder.exists() and not (folder.is_dir() and not any(folder.iterdir())):
        hint = "choose another folder with -o, or remove it"
        raise InputError("this is already there", where=str(folder), hint=hint)
    try:
        # Nothing appears in the folder before all of it is written.
        parent = folder.resolve().parent
        with tempfile.TemporaryDirectory(prefix=".instyle-", dir=parent) as temporary:
            for template, target in _files(kind, values["module"]):
                path = Path(temporary, target)
                path.parent.mkdir(parents=True, exist_ok=True)
                text = Template(template.read_text(encoding="utf-8")).substitute(values)
                path.write_text(text, encoding="utf-8")
            folder.mkdir(exist_ok=True)
            for item in Path(temporary).iterdir():
                item.rename(folder / item.name)
    except OSError as error:
        what = f"the package could not be written: {error.strerror or error}"
        hint = "check that the folder around it exists and may be written to"
        raise InstyleError(what, where=str(folder), hint=hint) from error
    return folder


def _versions(own: str) -> str:
    """The versions of instyle that a plugin can rely on if it is written with this one.

    The next major version may change the interfaces; before 1.0, the next minor version may.
    """
    major, minor = (int(number) for number in re.findall("[0-9]+", own)[:2])
    return f">={major}.{minor},<{major + 1 if major else f'0.{minor + 1}'}"


def _files(kind: str, module: str) -> Iterator[tuple[Path, Path]]:
    """Each template with its place in the new package."""
    for root in (_TEMPLATES / "common", _TEMPLATES / kind):
        for template in sorted(root.rglob("*.tmpl")):
            parts = template.relative_to(root).with_suffix("").parts
            yield template, Path(*(module if part == "package" else part for part in parts))


def _check(kind: str, name: str, values: Mapping[str, str]) -> None:
    """Refuse a name that would not work, or would get in the way of what is installed."""
    if kind not in KINDS:
        raise InputError(f"there is no kind '{kind}' of plugin", hint=f"kinds: {', '.join(KINDS)}")
    what, hint = "", "choose another name"
    if not re.fullmatch("[a-z][a-z0-9]*(-[a-z0-9]+)*", name):
        what = "should be lower-case letters, digits and single dashes, and begin with a letter"
        hint = "for example my-loss"
    elif keyword.iskeyword(name):
        what = "is a word of the Python language"
    elif name.startswith("instyle"):
        what = "should not begin with 'instyle'"
        hint = "the package is called instyle-NAME in any case"
    elif own := {values["Class"], values["Params"]} & set(dir(instyle_core)):
        what = f"gives the class {own.pop()}, which instyle itself has"
    elif owner := _owner(kind, name):
        what = f"is that of a {kind} of {owner}, and two of one name cannot be used"
    elif find_spec(values["module"]):
        what = f"gives the package {values['module']}, which is installed already"
    if what:
        raise InputError(what, where=f"the name '{name}'", hint=hint)


def _owner(kind: str, name: str) -> str | None:
    """The distribution that has a plugin of this kind and name."""
    entries = Registry.installed().entries(kind)
    return next((entry.distribution for entry in entries if entry.plugin.name == name), None)
