"""Whatever is wrong in a spec: the line, and what would be right."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.core.helpers.fake_plugins import Checker
from tests.core.helpers.specs import SPEC


@pytest.mark.parametrize(
    ("line", "what"),
    [
        # unknown keys, at every level
        ("sieze: 3", "sieze: unknown key 'sieze'; did you mean 'size'?"),
        ("1: 3", "1: unknown key '1'; the keys here are version, content, ..."),
        ("objects: [{styel: a}]", "objects.0.styel: unknown key 'styel'; did you mean 'style'?"),
        (
            "objects: [{select: {clas: cat}}]",
            "objects.0.select.clas: unknown key 'clas'; did you mean 'class'?",
        ),
        (
            "objects: [{select: {class_name: cat}}]",
            "objects.0.select.class_name: unknown key 'class_name'; did you mean 'class'?",
        ),
        (
            "objects: [{style: {images: [painting.jpg], weight: [1]}}]",
            "objects.0.style.weight: unknown key 'weight'; did you mean 'weights'?",
        ),
        (
            "optimizer: {use: lbfgs, histry: 3}",
            "optimizer.histry: unknown key 'histry'; did you mean 'history'?",
        ),
        ("optimizer: {stps: 3}", "optimizer.stps: unknown key 'stps'; did you mean 'steps'?"),
        (
            "segmenter: {use: cut, treshold: 0.5}",
            "segmenter.treshold: unknown key 'treshold'; did you mean 'threshold'?",
        ),
        (
            "losses: [{use: tint, wieght: 2}]",
            "losses.0.wieght: unknown key 'wieght'; did you mean 'weight'?",
        ),
        (
            "losses: [{use: flat, color: 2}]",
            "losses.0.color: unknown key 'color'; the keys here are weight",
        ),
        (
            "losses: [{use: tint, by-name: {a: {low: 1, hihg: 2}}}]",
            "losses.0.by-name.a.hihg: unknown key 'hihg'; did you mean 'high'?",
        ),
        (
            "losses: [{use: tint, bands: {}}]",
            "losses.0.bands: unknown key 'bands'; the keys here are weight, extractor, layers, ...",
        ),
        # unknown plugins
        ("losses: [tnt]", "losses.0: no loss is called 'tnt'; did you mean 'tint'?"),
        (
            "losses: [cut]",
            "losses.0: no loss is called 'cut'; 'cut' is ...",
        ),
        (
            "merger: {use: x}",
            "merger.use: no merger is called 'x'; installed: paste",
        ),
        (
            "objects: [{segmenter: {use: cutt}}]",
            "objects.0.segmenter.use: no segmenter is called 'cutt'; did you mean 'cut'?",
        ),
        (
            "extractors: {mine: {use: dot}}",
            "extractors.mine.use: no extractor is called 'dot'; did you mean 'dots'?",
        ),
        (
            "losses: [{use: tint, extractor: dot}]",
            "losses.0.extractor: no extractor is called 'dot'; did you mean 'dots'?",
        ),
        # what should be a plugin
        ("merger: 3", "merger: should name the merger, such as {use: NAME}; it is 3"),
        ("segmenter: []", "segmenter: should name the segmenter, such as {use: NAME}; it is []"),
        ("merger: {width: 3}", "merger: missing key 'use', the name of the merger"),
        ("merger: {use: 3, width: 3}", "merger: missing key 'use', the name of the merger"),
        (
            "extractors: {mine: }",
            "extractors.mine: should name the extractor, such as {use: NAME}; it is empty",
        ),
        ("losses: {use: tint}", "losses: should be a list, such as [a, b]; it is a mapping"),
        ("losses: tint", "losses: should be a list, such as [a, b]; it is 'tint'"),
        # types
        ("size: big", "size: should be a whole number; it is 'big'"),
        ("size: 1e4x", "size: should be a whole number; it is '1e4x'"),
        ("size: 512.5", "size: should be a whole number; it is 512.5"),
        ("size: [512]", "size: should be a whole number; it is [512]"),
        ("size:", "size: should be a whole number; it is empty"),
        ("margin: wide", "margin: should be a number; it is 'wide'"),
        ("margin: {a: 1}", "margin: should be a number; it is a mapping"),
        ("margin: .inf", "margin: '.inf' is no finite number"),
        ("device: 0", "device: should be a text, in quotes if need be; it is 0"),
        ("content: 5", "content: should be the name of a file; it is 5"),
        ("output: [a.png]", "output: should be the name of a file; it is ['a.png']"),
        ("objects: cat", "objects: should be a list, such as [a, b]; it is 'cat'"),
        ("objects: [cat]", "objects.0: should be a mapping, such as {key: value}; it is 'cat'"),
        (
            "objects: [{select: cat}]",
            "objects.0.select: should be a mapping, such as {key: value}; it is 'cat'",
        ),
        (
            "objects: [{select: {class: no}}]",
            "objects.0.select.class: no can be read as false and as 'no'",
        ),
        ("style: 5", "style: should be a mapping, such as {key: value}; it is 5"),
        (
            "style: {images: painting.jpg}",
            "style.images: should be a list, such as [a, b]; it is 'painting.jpg'",
        ),
        ("optimizer: adam", "optimizer: should be a mapping, such as {key: value}; it is 'adam'"),
        ("start: 5", "start: should be 'content', 'noise' or the name of a picture; it is 5"),
        (
            "losses: [{use: tint, grain: maybe}]",
            "losses.0.grain: should be true or false; it is 'maybe'",
        ),
        (
            "losses: [{use: tint, layers: dots1}]",
            "losses.0.layers: should be a list, such as [a, b]; it is 'dots1'",
        ),
        ("losses: [{use: tint, weight: x}]", "losses.0.weight: should be a number; it is 'x'"),
        # bounds
        ("version: 2", "version: should be 1; it is 2"),
        ("size: 31", "size: should be at least 32; it is 31"),
        ("size: 1e9", "size: should be at most 16384; it is 1000000000"),
        ("margin: -0.5", "margin: should be at least 0; it is -0.5"),
        ("max_megapixels: 0", "max_megapixels: should be above 0; it is 0"),
        (f"seed: {2**32}", f"seed: should be at most {2**32 - 1}; it is {2**32}"),
        (
            "precision: half",
            "precision: should be 'auto', 'float32', 'bfloat16' or 'float16'; it is 'half'",
        ),
        (
            "device: gpu",
            "device: should be 'auto', 'cpu', 'cuda[:N]', 'mps' or 'xpu[:N]'; it is 'gpu'",
        ),
        ("optimizer: {use: sgd}", "optimizer: 'use' should be one of 'adam', 'lbfgs'; it is 'sgd'"),
        (
            "optimizer: {scales: 0}",
            "optimizer.scales: should be 'auto' or a whole number from 1 on; it is 0",
        ),
        (
            "optimizer: {use: lbfgs, learning_rate: 0}",
            "optimizer.learning_rate: should be above 0; it is 0",
        ),
        (
            "segmenter: {use: cut, threshold: 1.0}",
            "segmenter.threshold: should be below 1; it is 1",
        ),
        (
            "losses: [{use: tint, mode: loud}]",
            "losses.0.mode: should be 'soft', 'hard' or 'none'; it is 'loud'",
        ),
        (
            "objects: [{select: {instance: -1}}]",
            "objects.0.select.instance: should be 'largest', 'all' or a whole number from 0 on; "
            "it is -1",
        ),
        (
            "objects: [{select: {point: [5]}}]",
            "objects.0.select.point: should be [x, y] in pixels; it is [5]",
        ),
        (
            "objects: [{select: {point: [5, x]}}]",
            "objects.0.select.point.1: should be a whole number; it is 'x'",
        ),
        (
            "objects: [{select: {box: [1, 2, 3, 4, 5]}}]",
            "objects.0.select.box: should be [x0, y0, x1, y1] in pixels; it is [1, 2, 3, 4, 5]",
        ),
        ("objects: []", "objects: should have at least 1 entry; it has 0"),
        ("losses: []", "losses: should have at least 1 entry; it has 0"),
        ("style: {images: []}", "style.images: should have at least 1 entry; it has 0"),
        (
            "losses: [{use: tint, layers: [dots1, dots1, dots1, dots2]}]",
            "losses.0.layers: should have at most 3 entries; it has 4",
        ),
        (
            "merger: {use: paste, width: 3, corner: A}",
            "merger.corner: should match the pattern ^[a-z]+$; it is 'A'",
        ),
        ("losses: [{use: tint, pair: [1]}]", "losses.0.pair: missing entry '1'"),
        # files and pictures
        ("content: x.jpg", "content: no such file: {folder}/x.jpg"),
        ("content: .", "content: this is a folder, not a file: {folder}"),
        ("content: ~nobody-at-all/x.jpg", "content: no such file: {folder}/~nobody-at-all/x.jpg"),
        (f"start: {'x' * 300}.jpg", "start: no such file: {folder}/xxxxx..."),
        ("style: x.jpg", "style: no such file: {folder}/x.jpg"),
        (
            "style: {images: [painting.jpg, x.jpg]}",
            "style.images.1: no such file: {folder}/x.jpg",
        ),
        ("start: contents", "start: no such file: {folder}/contents"),
        ("segmenter: {use: cut, file: x}", "segmenter.file: no such file: {folder}/x"),
        (
            "output: out.gif",
            "output: '.gif' names no picture format that can be written; use one of .png .jpg ...",
        ),
        ("output: out", "output: a name without a suffix names no picture format that can be ..."),
        ("output: no/out.png", "output: there is no folder {folder}/no; create it, or ..."),
        # weights
        ("losses: [{use: tint, weight: -1}]", "losses.0.weight: should be at least 0; it is -1"),
        (
            "losses: [{use: tint, weight: 0}, {use: flat, weight: 0}]",
            "losses: no loss has a weight above 0, so that there is nothing to minimize",
        ),
        (
            "objects: [{losses: [{use: flat, weight: 0}]}]",
            "objects.0.losses: no loss has a weight above 0, so that there is nothing to minimize",
        ),
        (
            "style: {images: [painting.jpg, other.jpg], weights: [1]}",
            "style.weights: should be one for each of 2 pictures; there are 1",
        ),
        (
            "style: {images: [painting.jpg], weights: [0]}",
            "style.weights.0: should be above 0; it is 0",
        ),
        # layers
        (
            "losses: [{use: tint, layers: [dots4]}]",
            "losses.0.layers.0: the extractor 'dots' has no layer 'dots4'; it has dots1, dots2, "
            "dots3",
        ),
        (
            "extractors: {deep: {use: dots, depth: 20}}\n"
            "losses: [{use: tint, extractor: deep, layers: [dots21]}]",
            "losses.0.layers.0: the extractor 'deep' has no layer 'dots21'; it has dots1, dots2, "
            "dots3, dots4, ... dots19, dots20",
        ),
        # missing keys
        ("merger: paste", "merger: missing key 'width'"),
        (
            "losses: [{use: tint, by-name: {a: {}}}]",
            "losses.0.by-name.a: missing key 'low'",
        ),
        ("style: {scale: 2}", "style: missing key 'images', or 'choose_from' with a folder"),
    ],
)
def test_each_error_says_what_would_be_right(
    check: Checker, folder: Path, line: str, what: str
) -> None:
    """The line is the last one of the spec, in place of the one with its key; ... cuts it short."""
    key = line.partition(":")[0]
    lines = [old for old in SPEC.splitlines() if not old.startswith(f"{key}:")] + line.split("\n")
    (problem,) = check.problems("\n".join(lines))
    expected = f"{len(lines)}: {what}".replace("{folder}", str(folder))
    if expected.endswith("..."):
        assert problem.startswith(expected.removesuffix("..."))
    else:
        assert problem == expected
