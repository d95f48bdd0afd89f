"""Networks are made once for several runs, and what belongs to a run is not."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from instyle_core.config.resolve import resolve
from instyle_core.plugin.keeping import keep_networks
from instyle_core.plugin.registry import Registry
from instyle_core.plugin.use import Use
from tests.core.helpers.studio import Studio, noise, save


def use(kind: Any, name: str, **more: Any) -> Use:
    context = {"registry": Registry.installed(), "extractors": {}}
    return resolve(kind, {"use": name, **more}, context)


def test_networks_are_made_once_within_the_block(studio: Studio) -> None:
    stencil, other = (
        use("segmenter", "stencil", path=str(studio.folder / name))
        for name in ("mask.png", "photo.png")
    )
    assert stencil.create() is not stencil.create()
    made: dict[str, Any] = {}
    with keep_networks(made):
        first = stencil.create()
        assert stencil.create() is first
        assert replace(stencil, refine=None).create() is first
        assert other.create() is not first
        # A loss may keep something of its run.
        assert use("loss", "tint").create() is not use("loss", "tint").create()
        with keep_networks():  # a block of its own
            assert stencil.create() is not first
        assert stencil.create() is first
    assert stencil.create() is not first
    with keep_networks(made):
        assert stencil.create() is first


def test_the_last_eight_are_kept(studio: Studio) -> None:
    with keep_networks(made := {}):
        paths = [save(studio.folder / f"{n}.png", noise()) for n in range(10)]
        things = [use("segmenter", "stencil", path=str(path)).create() for path in paths]
        assert [*made.values()] == things[2:]
