"""Checks the layout of the repository: lengths of files, names of tests, import cycles.

Run it from the repository root, as ``python .ci/house.py``. It prints every violation, and its exit
status is 1 if there is any.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from graphlib import CycleError, TopologicalSorter
from pathlib import Path

import grimp

MOST_LINES = 400

#: Lines that can be read in an hour.
HOUR = 1600

#: Where the tests of a folder are; subfolders are mirrored.
TESTS = {
    Path("instyle_core"): Path("tests/core"),
    Path("plugins"): Path("tests/plugins"),
    Path("docs"): Path("tests/docs"),
}

#: Folders of files that instyle copies or reads, and never imports.
DATA = {"templates", "demo"}


def main() -> int:
    files = tracked_files()
    problems = [
        *long_files(files),
        *modules_without_tests(files),
        *tests_without_a_module(files),
        *import_cycles(),
        *first_reading(),
    ]
    print("\n".join(problems) or "The layout is as it should be.")
    return 1 if problems else 0


def tracked_files() -> list[Path]:
    """The Python files that git knows."""
    command = ["git", "ls-files", "*.py"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    return [path for path in map(Path, listed.splitlines()) if path.exists()]


def lines(path: Path) -> int:
    return len(path.read_text(encoding="utf-8").splitlines())


def long_files(files: list[Path]) -> Iterator[str]:
    for path in files:
        if (count := lines(path)) > MOST_LINES:
            yield f"{path}: {count} lines, more than {MOST_LINES}"


def modules_without_tests(files: list[Path]) -> Iterator[str]:
    for module in files:
        if module.parts[0] in ("instyle_core", "plugins") and module.name != "__init__.py":
            test = mirrored(module.parent, TESTS) / f"test_{module.name}"
            if test not in files and not DATA & {*module.parts}:
                yield f"{module}: no {test}"


def tests_without_a_module(files: list[Path]) -> Iterator[str]:
    """A test may be named after a module, ``test_M.py`` or ``test_M_ASPECT.py``, or the folder."""
    sources = {tests: source for source, tests in TESTS.items()}
    for test in files:
        if test.name.startswith("test_") and any(test.is_relative_to(tests) for tests in sources):
            source = mirrored(test.parent, sources)
            found = source.glob("*") if source.name == "docs" else source.glob("*.py")
            names = {source.name, *(path.stem.replace("-", "_") for path in found)}
            if not any(f"{test.stem}_".startswith(f"test_{name}_") for name in names):
                yield f"{test}: named after nothing in {source}"


def mirrored(folder: Path, mirror: dict[Path, Path]) -> Path:
    """The folder on the other side."""
    top = next(top for top in mirror if folder.is_relative_to(top))
    return mirror[top] / folder.relative_to(top)


def import_cycles() -> Iterator[str]:
    """Cycles within a package. Imports inside functions count, those under TYPE_CHECKING do not."""
    sys.path[:0] = [".", "plugins"]  # look at this checkout, whatever is installed
    packages = ["instyle_core", *sorted(path.name for path in Path("plugins").glob("instyle_*"))]
    for package in packages:
        graph = grimp.build_graph(package, exclude_type_checking_imports=True, cache_dir=None)
        imports = {name: graph.find_modules_directly_imported_by(name) for name in graph.modules}
        while cycle := first_cycle(imports):
            yield f"import cycle: {' imports '.join(reversed(cycle))}"
            imports[cycle[1]].remove(cycle[0])


def first_cycle(imports: dict[str, set[str]]) -> list[str]:
    """Modules of which each is imported by the next one, the first again at the end; or none."""
    try:
        TopologicalSorter(imports).prepare()
    except CycleError as error:
        return list(error.args[1])
    return []


def first_reading() -> Iterator[str]:
    """What the docstring of `instyle_core` tells newcomers to read in an hour is not too much."""
    text = ast.get_docstring(ast.parse(Path("instyle_core/__init__.py").read_text("utf-8"))) or ""
    total = 0
    for item in re.split(r"\n\d\. ", text.partition("\n\nEverything else")[0])[1:]:
        first, *others = re.findall(r"`([\w/]+)`", item)
        names = [first + name for name in others] if first.endswith("/") else [first]
        total += sum(lines(Path("instyle_core", f"{name}.py")) for name in names)
    if not 0 < total <= HOUR:
        yield f"instyle_core/__init__.py: {total} lines to read in an hour, more than {HOUR}"


if __name__ == "__main__":
    sys.exit(main())
