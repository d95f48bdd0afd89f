"""How `ClickNet` is trained."""

from __future__ import annotations

from instyle_training.recipe import Recipe

RECIPE = Recipe(
    epochs=40,
    batch=12,
    learning_rate=1e-3,
    momentum=0.0,
    weight_decay=1e-3,
    schedule="poly",
    crop=224,
    scale=None,
    flip=True,
    color=0.4,
    small="pad",
    average=0.998,
    precision="bf16-mixed",
    optimizer="adamw",
)
