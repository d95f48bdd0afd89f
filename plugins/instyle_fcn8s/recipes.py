"""How to train: the paper's recipe, and one that trains better."""

from __future__ import annotations

from instyle_training.recipe import Recipe

PAPER = Recipe(
    epochs=20,
    batch=8,
    learning_rate=1e-2,
    momentum=0.0,
    weight_decay=1e-4,
    schedule="constant",
    crop=224,
    scale=None,
    flip=False,
    color=0.0,
    small="skip",
    average=0.0,
    precision="32-true",
)

MODERN = Recipe(
    epochs=50,
    batch=8,
    learning_rate=1e-2,
    momentum=0.9,
    weight_decay=1e-4,
    schedule="poly",
    crop=288,
    scale=(0.75, 2.0),
    flip=True,
    color=0.3,
    small="pad",
    average=0.999,
    precision="bf16-mixed",
)

#: What ``--preset`` names.
PRESETS = {"paper": PAPER, "modern": MODERN}
