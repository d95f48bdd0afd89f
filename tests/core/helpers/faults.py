"""What the broken plugins do wrong, and what has to be said about it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

#: What is different about a spec that uses a broken plugin of a kind.
SPECS: dict[str, Callable[[dict[str, str]], dict[str, Any]]] = {
    "segmenter": lambda bad: {"segmenter": bad},
    "refiner": lambda bad: {"segmenter": {"use": "stencil", "path": "mask.png", "refine": bad}},
    "extractor": lambda bad: {"extractors": {"bad": bad}, "losses": [{"use": "bad"}]},
    "loss": lambda bad: {"losses": [bad]},
    "ranker": lambda bad: {"style": {"choose_from": "styles", "ranker": bad}},
    "merger": lambda bad: {"merger": bad},
}

#: Kind, fault, and words that the message has: the method, what came back, what is promised.
FAULTS: list[tuple[str, str, *tuple[str, ...]]] = [
    # What all kinds have in common.
    *(
        (kind, f"constructor {raises}", f"parts:{factory}() raised {error}")
        for kind, factory in {
            "segmenter": "BadSegmenter",
            "refiner": "BadRefiner",
            "extractor": "BadExtractor",
            "loss": "BadLoss",
            "ranker": "BadRanker",
            "merger": "BadMerger",
        }.items()
        for raises, error in {"raises": "RuntimeError: it broke", "exits": "SystemExit"}.items()
    ),
    *(
        (kind, raises, f"{method}() raised {error}")
        for kind, method in {
            "segmenter": "segment",
            "refiner": "refine",
            "extractor": "extract",
            "loss": "__call__",
            "ranker": "rate",
            "merger": "merge",
        }.items()
        for raises, error in {
            "raises": "RuntimeError: it broke",
            "exits": "SystemExit",
            "panics": "Panic: it broke",
        }.items()
    ),
    ("loss", "another thing", "parts:BadLoss made a object", "no instyle_core.Loss"),
    ("merger", "another thing", "parts:BadMerger made a object", "no instyle_core.Merger"),
    # Segmenters.
    ("segmenter", "None", "segment() is None", "an instyle_core.Segmentation"),
    ("segmenter", "a tuple", "segment() is a tuple", "an instyle_core.Segmentation"),
    ("segmenter", "a text for classes", "segment().classes is a str", "a tuple of names"),
    ("segmenter", "three names", "segment().probabilities", "(2, 44, 60)", "(3, 44, 60)"),
    ("segmenter", "no names", "segment().classes is ()", "some names"),
    ("segmenter", "a name twice", "('thing', 'thing')", "each of them once"),
    ("segmenter", "a name that is none", "('thing', [])", "some names"),
    ("segmenter", "an array", "segment().probabilities is a ndarray", "a tensor"),
    ("segmenter", "smaller", "of the shape (2, 43, 60); it should be of (2, 44, 60)"),
    ("segmenter", "a batch", "of the shape (1, 2, 44, 60); it should be of (2, 44, 60)"),
    ("segmenter", "NaN", "segment().probabilities is NaN in places", "from 0 to 1"),
    ("segmenter", "logits", "is from -10 to 10; it should be finite, from 0 to 1"),
    ("segmenter", "a negative one", "is from -0.25 to 1", "(tolerance 0.001)"),
    ("segmenter", "a sum of 0.9", "the sum of segment().probabilities is 0.9; it should be 1 "),
    ("segmenter", "float64", "is of torch.float64; it should be of torch.float32"),
    ("segmenter", "bytes", "is of torch.uint8; it should be of floating-point numbers"),
    ("segmenter", "elsewhere", "is on the device meta; it should be on cpu"),
    ("segmenter", "changes the photo", "what segment() was given is changed"),
    ("segmenter", "another class", "instances[0].class_name is 'cow'", "'background', 'thing'"),
    ("segmenter", "a score of 7", "segment().instances[0].score is 7", "from 0 to 1"),
    ("segmenter", "a score of NaN", "segment().instances[0].score is NaN", "from 0 to 1"),
    ("segmenter", "a score of text", "segment().instances[0].score is a str", "a number"),
    ("segmenter", "a flat mask", "instances[0].mask is of the shape (44, 60)", "of (1, 44, 60)"),
    ("segmenter", "a mask of NaN", "segment().instances[0].mask is NaN in places"),
    ("segmenter", "a mask of 255", "instances[0].mask is from 0 to 255", "from 0 to 1"),
    ("segmenter", "a tuple of two", "segment().instances[0] is a tuple", "instyle_core.Instance"),
    # Refiners.
    ("refiner", "None", "refine() is None", "an instyle_core.Mask"),
    ("refiner", "a tensor", "refine() is a Tensor", "an instyle_core.Mask"),
    ("refiner", "NaN", "refine().probability is NaN in places", "from 0 to 1"),
    ("refiner", "smaller", "refine().decision is of the shape (1, 43, 60)", "of (1, 44, 60)"),
    ("refiner", "beyond 1", "refine().probability is from 0 to 3", "(tolerance 0.001)"),
    ("refiner", "half decided", "refine().decision is 0.5 in places; it should be 0 or 1"),
    ("refiner", "undecided", "refine().decision is NaN in places"),
    ("refiner", "bool", "refine().decision is of torch.bool"),
    ("refiner", "empty", "refine().decision is empty", "a pixel at least"),
    ("refiner", "changes the photo", "what refine() was given is changed"),
    ("refiner", "changes the mask", "what refine() was given is changed"),
    # Extractors, which are blamed, and not the loss that reads them.
    ("extractor", "to nothing", "parts:BadExtractor made a NoneType", "FeatureExtractor"),
    ("extractor", "to a number", "made a int, which is no instyle_core.FeatureExtractor"),
    ("extractor", "None", "extract() is None", "a mapping of layers to feature maps"),
    ("extractor", "a list", "extract() is a list", "a mapping of layers to feature maps"),
    ("extractor", "no layer", "extract()['cells'] is missing"),
    ("extractor", "an array", "extract()['cells'] is a ndarray", "a tensor"),
    ("extractor", "half as many", "of 16 cells for 64 pixels; it should be of 32", "stride of 2"),
    ("extractor", "one more", "of 33 cells for 64 pixels; it should be of 32", "stride of 2"),
    ("extractor", "no batch", "is of the shape (6, 29, 32); it should be of (1, C, h, w)"),
    ("extractor", "no channels", "is of the shape (1, 0, 29, 32); it should be of (1, C, h, w)"),
    ("extractor", "no gradient", "extract()['cells'] is without a gradient to the picture"),
    ("extractor", "detached", "extract()['cells'] is without a gradient to the picture"),
    ("extractor", "NaN", "extract()['cells'] is NaN in places; it should be finite"),
    ("extractor", "whole numbers", "extract()['cells'] is of torch.int64"),
    ("extractor", "elsewhere", "extract()['cells'] is on the device meta", "on cpu"),
    ("extractor", "changes the picture", "what extract() was given is changed"),
    # Losses.
    ("loss", "None", "__call__() is None; it should be a tensor"),
    ("loss", "a float", "__call__() is a float; it should be a tensor"),
    ("loss", "a vector", "__call__() is of the shape (1,); it should be of ()"),
    ("loss", "no gradient", "__call__() is without a gradient to the picture"),
    ("loss", "detached", "__call__() is without a gradient to the picture"),
    ("loss", "a whole number", "__call__() is of torch.int64"),
    ("loss", "elsewhere", "__call__() is on the device meta; it should be on cpu"),
    ("loss", "NaN", "__call__() is NaN in places; it should be finite"),
    ("loss", "infinite", "__call__() is inf; it should be finite"),
    ("loss", "below 0", "__call__() is -1.", "from 0 to inf (tolerance 0.001)"),
    ("loss", "reads another layer", "the layer 'fine' of 'bad' is read", "declared by reads()"),
    ("loss", "reads no layer", "the layer 'none' of 'bad' is read", "declared by reads()"),
    ("loss", "reads another extractor", "the layer 'cells' of 'other' is read"),
    ("loss", "changes the picture", "what __call__() was given is changed"),
    ("loss", "prepare raises", "prepare() raised RuntimeError: it broke"),
    ("loss", "prepare exits", "prepare() raised SystemExit"),
    ("loss", "prepare reads more", "the layer 'fine' of 'bad' is read"),
    ("loss", "prepare changes the photo", "what prepare() was given is changed"),
    ("loss", "prepare changes a map", "what prepare() was given is changed"),
    # Rankers.
    ("ranker", "None", "rate() is None", "an instyle_core.Rating"),
    ("ranker", "a number", "rate() is a float", "an instyle_core.Rating"),
    ("ranker", "NaN", "rate().score is NaN in places; it should be finite", "a.png"),
    ("ranker", "infinite", "rate().score is inf; it should be finite"),
    ("ranker", "a tensor", "rate().score is a Tensor; it should be a number"),
    ("ranker", "a figure of NaN", "rate().figures['size'] is NaN"),
    ("ranker", "figures in a list", "rate().figures is a list"),
    ("ranker", "changes the photo", "what rate() was given is changed"),
    ("ranker", "reads another layer", "the layer 'fine' of 'bad' is read"),
    # Mergers.
    ("merger", "paints None", "paints() is None; it should be a tensor"),
    ("merger", "paints an array", "paints() is a ndarray; it should be a tensor"),
    ("merger", "paints a half", "paints() is 0.5 in places; it should be 0 or 1"),
    ("merger", "paints NaN", "paints() is NaN in places"),
    ("merger", "paints 255", "paints() is from 0 to 255"),
    ("merger", "paints bool", "paints() is of torch.bool"),
    ("merger", "paints smaller", "paints() is of the shape (1, 43, 60)", "of (1, 44, 60)"),
    ("merger", "paints flat", "paints() is of the shape (44, 60)", "of (1, 44, 60)"),
    ("merger", "paints raises", "paints() raised RuntimeError: it broke"),
    ("merger", "paints exits", "paints() raised SystemExit"),
    ("merger", "paints changes the mask", "what paints() was given is changed"),
    ("merger", "None", "merge() is None; it should be a tensor"),
    ("merger", "an array", "merge() is a ndarray; it should be a tensor"),
    ("merger", "smaller", "merge() is of the shape (3, 43, 48)", "of (3, 44, 48)"),
    ("merger", "gray", "merge() is of the shape (1, 44, 48)", "of (3, 44, 48)"),
    ("merger", "float64", "merge() is of torch.float64; it should be of torch.float32"),
    ("merger", "bytes", "merge() is of torch.uint8"),
    ("merger", "NaN", "merge() is NaN in places", "from 0 to 1"),
    ("merger", "all NaN", "merge() is NaN in places", "from 0 to 1"),
    ("merger", "up to 255", "merge() is from 0 to 255", "from 0 to 1"),
    ("merger", "from -1", "merge() is from -1 to 1", "(tolerance 0.001)"),
    ("merger", "a pixel outside", "a pixel outside of paints() is", "levels of 255"),
    (
        "merger",
        "brighter",
        "a pixel outside of paints() is 5.1 levels of 255 away",
        "1 at the most",
    ),
    ("merger", "changes the photo", "what merge() was given is changed"),
    ("merger", "changes the painting", "what merge() was given is changed"),
    ("merger", "changes the mask", "what merge() was given is changed"),
]


def changes(kind: str, fault: str, **more: Any) -> dict[str, Any]:
    return SPECS[kind]({"use": "bad", "fault": fault, **more})
