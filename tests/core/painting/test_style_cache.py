"""Sums of style pictures are computed once, for just what they were computed from."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor

from instyle_core.config.optimizer import Adam
from instyle_core.config.spec import Spec
from instyle_core.interfaces.params import ExtractorParams
from instyle_core.optimization.optimize import Progress
from instyle_core.painting.crop import Crop
from instyle_core.painting.networks import Networks
from instyle_core.painting.style_cache import StyleCache
from instyle_core.painting.stylize import stylize
from instyle_core.plugin.hookspecs import Plugin
from instyle_core.plugin.use import Use
from instyle_core.testing import PixelExtractor, disc, picture
from instyle_core.weights import kept
from instyle_core.weights.record import Weights
from instyle_losses.params import ContentParams, StyleParams
from tests.core.helpers.plans import object_plan, use

READS = {"net": ["a", "b"]}
WHAT = "Gram matrices"


def weights(sha256: str = "0" * 64) -> Weights:
    return Weights("net", "net.bin", sha256, 1.0, "none", "A test's.", package="no_such_package")


class NetParams(ExtractorParams):
    scale: float = 1.0
    sha256: str | None = "0" * 64

    def layers(self) -> Mapping[str, int]:
        return {"a": 2, "b": 2, "c": 2}

    def pretrained(self) -> Sequence[Weights]:
        return () if self.sha256 is None else (weights(self.sha256),)


class Hashed(NetParams):
    """Says the same of itself whatever its weights are."""

    def model_dump(self, **_: Any) -> dict[str, Any]:
        return {}


def net(distribution: str = "tests 1.0", kind: type[NetParams] = NetParams, **params: Any) -> Use:
    plugin = Plugin("extractor", "net", kind, "none:None", "A test's.")
    return Use(plugin, kind(**params), distribution=distribution)


class Computing:
    """Sums that tell how often they were computed."""

    def __init__(self) -> None:
        self.times = 0

    def __call__(self) -> tuple[Tensor, ...]:
        self.times += 1
        generator = torch.Generator().manual_seed(self.times)
        # In memory, the first lies the other way round.
        return torch.rand(1, 4, 3, generator=generator).transpose(1, 2), torch.tensor(37.0)


def recall(
    folder: Path,
    compute: Callable[[], tuple[Tensor, ...]],
    *,
    using: Use | None = None,
    computed: Sequence[str] = ("float32",),
    image: Tensor | None = None,
    reads: Mapping[str, Sequence[str]] = READS,
    what: str = WHAT,
) -> tuple[Tensor, ...]:
    """What a new process would recall."""
    cache = StyleCache({"net": using or net()}, computed, folder)
    image = picture(8, 12)[None] if image is None else image
    return cache.recall(image, reads, what, compute)


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*"))


def test_the_same_is_computed_once(tmp_path: Path) -> None:
    compute = Computing()
    first = recall(tmp_path / "new" / "folder", compute)
    again = recall(tmp_path / "new" / "folder", compute)
    assert compute.times == 1
    assert len(first) == len(again) == 2
    assert all(torch.equal(*pair) for pair in zip(first, again, strict=True))
    assert [tensor.dtype for tensor in again] == [torch.float32] * 2
    assert len(files(tmp_path / "new" / "folder")) == 1


@pytest.mark.parametrize(
    "other",
    [
        {"image": picture(8, 12, seed=1)[None]},
        {"image": picture(8, 12)[None].double()},
        {"image": picture(8, 12).reshape(1, 3, 12, 8)},  # the same bytes
        {"reads": {"net": ["a"]}},
        {"reads": {"net": ["a", "c"]}},
        {"reads": {"net": ["b", "a"]}},
        {"what": "means"},
        {"computed": ["bfloat16"]},
        {"using": net(scale=2.0)},
        {"using": net("tests 1.1")},
        {"using": net(sha256="1" * 64)},
    ],
    ids=str,
)
def test_whatever_differs_is_computed(other: dict[str, Any], tmp_path: Path) -> None:
    compute = Computing()
    recall(tmp_path, compute)
    recall(tmp_path, compute, **other)
    assert compute.times == 2
    for known in ({}, other):  # and both are known from now on
        recall(tmp_path, compute, **known)
    assert compute.times == 2


def test_other_weights_of_the_same_parameters(tmp_path: Path) -> None:
    """As those of a plugin's next release, which says the same in a spec."""
    compute = Computing()
    for digit in "01":
        recall(tmp_path, compute, using=net(kind=Hashed, sha256=digit * 64))
    assert compute.times == 2


@pytest.mark.parametrize("name", ["__version__", "get_num_threads"])
def test_another_torch(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compute = Computing()
    recall(tmp_path, compute)
    monkeypatch.setattr(torch, name, "0.1" if name == "__version__" else lambda: 4711)
    recall(tmp_path, compute)
    assert compute.times == 2


def test_nothing_is_kept_of_networks_without_pretrained_weights(tmp_path: Path) -> None:
    compute = Computing()
    for _ in range(2):
        recall(tmp_path, compute, using=net(sha256=None))
        recall(tmp_path, compute, reads={"net": ["a"], "unknown": ["b"]})
    assert compute.times == 4
    assert files(tmp_path) == []


def test_nothing_is_kept_of_a_module_that_is_not_installed(tmp_path: Path) -> None:
    """Its code may be another at the next run."""
    compute = Computing()
    for _ in range(2):
        recall(tmp_path, compute, using=net("notebook unversioned"))
    assert compute.times == 2
    assert files(tmp_path) == []


# --- what may go wrong ----------------------------------------------------------------------------


@pytest.mark.parametrize("damage", ["empty", "short", "garbage", "zeros", "folder", "another"])
def test_a_damaged_file_is_computed_anew(damage: str, tmp_path: Path) -> None:
    compute = Computing()
    recall(tmp_path, compute)
    (file,) = files(tmp_path)
    whole = file.read_bytes()
    file.unlink()
    if damage == "folder":
        file.mkdir()
    else:
        zeros = whole[:-32] + bytes(32)  # where its header does not show it
        wrong = {"empty": b"", "short": whole[:-1], "garbage": whole[::-1], "zeros": zeros}
        # Well-formed, and not of ours.
        file.write_bytes(wrong.get(damage, whole.replace(b'"0"', b'"7"')))
    second = recall(tmp_path, compute)
    assert compute.times == 2
    third = recall(tmp_path, compute)
    assert compute.times == (3 if damage == "folder" else 2)
    if damage != "folder":
        assert all(torch.equal(*pair) for pair in zip(second, third, strict=True))


@pytest.mark.parametrize("below", [".", "folder"])
def test_a_folder_that_cannot_be_written_to(below: str, tmp_path: Path) -> None:
    """A file in its place stops even those who may write anywhere."""
    (tmp_path / "file").write_bytes(b"")
    compute = Computing()
    for times in (1, 2):
        sums = recall(tmp_path / "file" / below, compute)
        assert compute.times == times
        assert float(sums[1]) == 37
    assert files(tmp_path) == [tmp_path / "file"]


def test_what_was_not_used_for_longest_is_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    compute = Computing()
    paths: dict[str, Path] = {}
    for time, what in enumerate("abc", start=1):
        recall(tmp_path, compute, what=what)
        (paths[what],) = set(files(tmp_path)) - set(paths.values())
        os.utime(paths[what], (1000 * time, 1000 * time))
    recall(tmp_path, compute, what="a")  # the oldest, but used again
    assert compute.times == 3
    monkeypatch.setattr(kept, "MOST_BYTES", 3 * paths["a"].stat().st_size)
    other = tmp_path / "notes.txt"  # is none of its files
    other.write_bytes(bytes(10000))
    os.utime(other, (1, 1))
    recall(tmp_path, compute, what="d")
    assert compute.times == 4
    assert not paths["b"].exists()
    assert other.exists()
    for what in "acd":
        recall(tmp_path, compute, what=what)
    assert compute.times == 4


def test_a_file_larger_than_all_may_be_is_not_kept(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_BYTES", 10)
    recall(tmp_path, Computing())
    assert files(tmp_path) == []


def test_by_default_it_is_in_the_cache_folder(cache: Path) -> None:
    StyleCache({"net": net()}, []).recall(picture(8, 12)[None], READS, WHAT, Computing())
    (file,) = files(cache / "targets")
    assert file.suffix == ".safetensors"


# --- runs -----------------------------------------------------------------------------------------


class Counting(PixelExtractor):
    def __init__(self) -> None:
        super().__init__()
        self.sizes: list[tuple[int, ...]] = []

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        self.sizes.append(tuple(images.shape[-2:]))
        return super().extract(images, layers)


def paint(cache: StyleCache | None, seed: int) -> tuple[list[dict[str, float]], Counting]:
    extractor, steps = Counting(), list[Progress]()
    common = {"extractor": "net", "layers": ("a", "b")}
    losses = (
        use("loss", ContentParams(**common), "instyle_losses.content:ContentLoss"),
        use("loss", StyleParams(**common), "instyle_losses.style:StyleLoss"),
    )
    spec = Spec.model_construct(size=128, optimizer=Adam(steps=4, scales=2, learning_rate=0.02))
    cpu, params = torch.device("cpu"), {"net": NetParams()}
    networks = Networks({"net": extractor}, cpu, torch.float32, params, style_cache=cache)
    mask = disc(128, 128)
    styles = [picture(40, 80, seed=7), picture(80, 60, seed=8)]
    crop = Crop(picture(128, 128, seed=seed), mask.decision, mask.decision, styles)
    outcome = stylize(crop, object_plan(losses), spec, networks, steps.append)
    assert outcome.status == "finished"
    return [dict(step.terms) for step in steps], extractor


def test_a_second_run_computes_nothing_of_the_style(tmp_path: Path) -> None:
    def cache() -> StyleCache:
        return StyleCache({"net": net()}, ["float32"], tmp_path)

    plain, without = paint(None, 1)
    first, filling = paint(cache(), 1)
    again, filled = paint(cache(), 1)
    another, of_another = paint(cache(), 2)
    assert first == again == plain
    assert another != plain
    # At each of two scales the photo, and then one pass a step.
    assert len(filled.sizes) == len(of_another.sizes) == 2 + 4
    assert len(filling.sizes) == len(without.sizes) == 2 * (1 + 2) + 4
    assert len(files(tmp_path)) == 2 * 2


def test_two_sums_may_be_the_same_tensor(tmp_path: Path) -> None:
    ones = torch.ones(3)
    for _ in range(2):
        first, second = recall(tmp_path, lambda: (ones, ones))
        assert torch.equal(first, second)
    assert len(files(tmp_path)) == 1
