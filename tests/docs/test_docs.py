"""What holds for all pages of the docs: links and names lead somewhere, specs are valid."""

from __future__ import annotations

import pkgutil
import re
from pathlib import Path

import pytest

from instyle_core.config.plan import load_plan, preset_text
from instyle_core.images.picture import write_picture
from instyle_core.plugin.registry import Registry
from instyle_core.testing import picture

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted((ROOT / "docs").glob("*.md"))]
FENCE = re.compile(r"^```(\w*)\n(.*?)^```", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    text = FENCE.sub("", page.read_text(encoding="utf-8"))
    for target in re.findall(r"\]\(([^)]+)\)", text):
        if target.startswith("http"):
            continue
        name, _, anchor = target.partition("#")
        other = (page.parent / name).resolve() if name else page
        assert other.exists(), f"{page.name} links to {target}"
        if anchor:
            headings = re.findall(r"^#+ (.+)$", other.read_text(encoding="utf-8"), re.MULTILINE)
            anchors = [re.sub(r"[^\w\- ]", "", h.lower()).replace(" ", "-") for h in headings]
            assert anchor in anchors, f"{page.name} links to {target}"


# The changelog may also name what is no longer there.
@pytest.mark.parametrize(
    "page", [page for page in PAGES if page.name != "CHANGELOG.md"], ids=lambda page: page.name
)
def test_names_of_modules_and_what_is_in_them_are_there(page: Path) -> None:
    for name in re.findall(r"\binstyle_core(?:\.\w+)+", page.read_text(encoding="utf-8")):
        assert pkgutil.resolve_name(name), f"{page.name} names {name}"


def specs() -> list[tuple[str, str]]:
    """Every whole spec that a page shows; those of plugins.md need its plugins."""
    found = [("the default preset", preset_text("default"))]
    for page in (page for page in PAGES if page.name != "plugins.md"):
        blocks = FENCE.findall(page.read_text(encoding="utf-8"))
        found += [(page.name, text) for language, text in blocks if language == "yaml"]
    return [(name, text) for name, text in found if text.startswith(("version:", "#"))]


@pytest.mark.parametrize(("page", "text"), specs())
def test_specs_that_are_shown_are_valid(page: str, text: str, tmp_path: Path) -> None:
    for name in re.findall(r"[\w-]+\.(?:png|jpg)", text):
        if f"output: {name}" not in text:
            write_picture(tmp_path / name, picture())
    (tmp_path / "spec.yaml").write_text(text, encoding="utf-8")
    assert load_plan(tmp_path / "spec.yaml").objects, page


def test_readme_lists_the_plugins_that_come_with_it() -> None:
    table = re.findall(r"^\| (\w+) \| `([\w-]+)` \|", PAGES[0].read_text("utf-8"), re.MULTILINE)
    first_party = {
        (entry.plugin.kind, entry.plugin.name)
        for entry in Registry.installed().entries()
        if entry.distribution.split()[0] == "instyle"
    }
    assert set(table) == first_party
    assert len(table) == len(first_party)
