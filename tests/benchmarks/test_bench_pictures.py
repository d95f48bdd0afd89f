from __future__ import annotations

from pathlib import Path

import bench_pictures
import neural_style
import picture_report
import pytest
import torch


def verdict(style: float, content: float) -> dict[str, object]:
    others = dict.fromkeys(("edges", "color", "blotches", "grain"), 0.5)
    figures = {"style": style, "content": content, **others}
    return {"verdict": figures, "seconds": 10.0, "cpu_seconds": 20.0}


def test_a_spec_is_varied_in_one_place(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("losses: [{use: content, weight: 3}, {use: style}]\nseed: 1\n")
    given = [("spec", f"a={path}"), ("vary", "losses.0.weight=1,2.5")]
    found = bench_pictures.specs(given)
    assert list(found) == ["old-default", "a@losses.0.weight=1", "a@losses.0.weight=2.5"]
    assert found["a@losses.0.weight=2.5"]["losses"][0] == {"use": "content", "weight": 2.5}
    assert found["a@losses.0.weight=1"]["losses"][1] == {"use": "style"}


def test_nothing_is_varied_before_a_spec() -> None:
    with pytest.raises(SystemExit):
        bench_pictures.specs([("vary", "seed=1,2")])


def test_gram_matrices_and_total_variation_are_those_of_the_readme() -> None:
    maps = torch.tensor([[[1.0, 2.0]], [[3.0, 4.0]]])
    expected = torch.tensor([[5.0, 11.0], [11.0, 25.0]]) / 4
    assert torch.equal(neural_style.gram(maps), expected)
    assert float(neural_style.total_variation(maps)) == 2


def test_going_on_is_the_same_as_going_through() -> None:
    def after(counts: list[int]) -> torch.Tensor:
        pixels = torch.tensor([-1.0, 2.0]).requires_grad_()
        optimizer = neural_style.lbfgs(pixels)

        def evaluate() -> torch.Tensor:
            optimizer.zero_grad()
            value = (1 - pixels[0]) ** 2 + 10 * (pixels[1] - pixels[0] ** 2) ** 2 / 100
            value.backward()
            return value.detach()

        for count in counts:
            optimizer.param_groups[0]["max_iter"] = count
            optimizer.step(evaluate)
        return pixels.detach()

    assert torch.equal(after([7]), after([3, 4]))


def test_a_win_has_less_style_distance_at_no_worse_content() -> None:
    mine = {"a": verdict(0.3, 0.06), "b": verdict(0.3, 0.08), "c": verdict(0.5, 0.01)}
    other = {"a": verdict(0.4, 0.06), "b": verdict(0.4, 0.07), "c": verdict(0.4, 0.01)}
    assert picture_report.share_of_wins(mine, other) == pytest.approx(1 / 3)
    assert picture_report.share_of_wins(mine, {}) is None


def test_the_table_has_medians_and_seconds_in_float32() -> None:
    rival = {name: verdict(style, 0.1) for name, style in (("a", 0.2), ("b", 0.3), ("c", 0.9))}
    timed = {name: {**fact, "seconds_per_iteration_float32": 0.5} for name, fact in rival.items()}
    lines = picture_report.table({"x": rival, "neural-style-pt-300": timed}, "x").splitlines()
    assert lines[2].startswith("| `x` | 3 | 0.300 | 0.100 |")
    assert lines[3].endswith("| 10 | 20 | 150 | 0% |")
