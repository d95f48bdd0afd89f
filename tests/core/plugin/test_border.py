"""The border: a plugin that breaks a promise ends a run with an error that names it.

Whole runs of the command line, with a plugin that has one fault each.
"""

from __future__ import annotations

import json

import pytest

from tests.core.helpers.commands import Command, assert_error
from tests.core.helpers.faults import FAULTS, SPECS, changes
from tests.core.helpers.forks import fork
from tests.core.helpers.studio import Studio, listing


@pytest.mark.parametrize("kind", list(SPECS))
def test_without_a_fault_they_are_fine(instyle: Command, broken: Studio, kind: str) -> None:
    done = instyle("pipeline", "run", broken.spec(**changes(kind, "")), "--quiet")
    assert (done.status, done.err) == (0, "")
    assert broken.output.shape == broken.photo.shape


@pytest.mark.parametrize(("kind", "fault", "words"), [(k, f, w) for k, f, *w in FAULTS])
def test_who_broke_which_promise(
    instyle: Command, broken: Studio, kind: str, fault: str, words: list[str]
) -> None:
    before = listing(broken.folder)
    done = instyle("pipeline", "run", broken.spec(**changes(kind, fault)), "--quiet")
    who = f"the {kind} 'bad' of instyle-broken 2.3 is broken: "
    assert_error(done, 1, who, *words, "tell its authors; `--debug` shows the traceback")
    assert set(listing(broken.folder)) == {*before, "spec.yaml"}  # no picture, and nothing else


def test_the_traceback_is_shown_to_who_asks_for_it(broken: Studio) -> None:
    spec = broken.spec(**changes("merger", "panics"))
    process = fork("pipeline", "run", spec, "--quiet", "--debug", folder=broken.folder)
    out, err = process.communicate()
    assert process.returncode == 1
    assert out == ""
    first, second = err.split("The above exception was the direct cause of the following")
    assert "in panics" in first
    assert "instyle_broken.parts.Panic: it broke" in first
    assert "PluginError: objects.0: the merger 'bad' of instyle-broken 2.3 is broken" in second


def test_what_a_plugin_prints_is_no_output_of_the_command(instyle: Command, broken: Studio) -> None:
    talks = "{use: bad, fault: prints}"
    done = instyle("segment", broken.folder / "photo.png", "--use", talks, "--json")
    assert (done.status, done.err) == (0, "it talks\n")
    assert json.loads(done.out)["objects"]
