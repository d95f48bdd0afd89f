"""A record and its factory."""

from __future__ import annotations

import pytest

from instyle_core import InstyleError, LossParams, Plugin
from instyle_core.plugin.registry import Registry
from tests.core.helpers.site import Site, module, record

PLUGIN = Plugin("loss", "dots", LossParams, "dots_code:Dots", "Paints dots.")


@pytest.mark.parametrize(
    ("code", "reason"),
    [
        ("", "No module named 'dots_code'"),
        ("class Spots: pass", "module 'dots_code' has no attribute 'Dots'"),
        ("raise RuntimeError('no license')", "RuntimeError: no license"),
    ],
)
def test_code_that_cannot_be_loaded(site: Site, code: str, reason: str) -> None:
    site.install("instyle-dots", module(f"return [{record()}]"))
    if code:
        (site.folder / "dots_code.py").write_text(code)
    with pytest.raises(InstyleError) as caught:
        Registry.installed().find("loss", "dots").load()
    assert "the loss 'dots' cannot be loaded from dots_code:Dots" in caught.value.what
    assert reason in caught.value.what


@pytest.mark.parametrize("name", ["SystemExit", "BaseException", "GeneratorExit"])
def test_whatever_an_import_raises_is_an_error_for_people(site: Site, name: str) -> None:
    (site.folder / "dots_code.py").write_text(f"raise {name}('stop')")
    with pytest.raises(InstyleError, match=f"dots_code:Dots: {name}: stop") as caught:
        PLUGIN.load()
    assert type(caught.value.__cause__).__name__ == name


def test_an_interrupt_stays_one(site: Site) -> None:
    (site.folder / "dots_code.py").write_text("raise KeyboardInterrupt")
    with pytest.raises(KeyboardInterrupt):
        PLUGIN.load()


def test_what_an_import_prints_does_not_reach_standard_output(
    site: Site, capsys: pytest.CaptureFixture[str]
) -> None:
    (site.folder / "dots_code.py").write_text("print('hello')\nclass Dots: pass")
    assert PLUGIN.load().__name__ == "Dots"
    assert capsys.readouterr() == ("", "hello\n")
    print("said")
    assert capsys.readouterr().out == "said\n"


def test_a_record_that_does_not_say_was_written_for_the_first_interfaces() -> None:
    assert PLUGIN.api == 1
