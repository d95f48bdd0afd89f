"""A run that is interrupted and resumed ends as one that is not."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from instyle_core.events import Event, Step

pytestmark = pytest.mark.gpu


# Sums on a GPU have no fixed order, so that the same run twice is not the same to the last digit,
# and what differs grows from step to step (test_pipeline.py). On a processor nothing does.
@pytest.mark.parametrize("optimizer", ["adam", "lbfgs"])
@pytest.mark.parametrize("stop_at", [2, 6, 10])  # within a size, between two, where it is captured
def test_a_resumed_run_ends_as_an_unbroken_one(
    runs: Any, device: torch.device, optimizer: str, stop_at: int
) -> None:
    settings = {"use": optimizer, "steps": 12, "scales": 2}
    changes = {"device": str(device), "precision": "float32", "optimizer": settings}
    unbroken = runs.go(runs.plan("unbroken", **changes))

    def stop(event: Event) -> None:
        if isinstance(event, Step) and event.step == stop_at:
            raise KeyboardInterrupt

    plan = runs.plan("resumed", **changes)
    first = runs.go(plan, stop)
    assert first.status == "interrupted"
    assert len(first.totals) == stop_at
    torch.manual_seed(77)  # another process stands elsewhere
    rest = runs.go(plan, resume=True)
    assert rest.status == "finished"
    totals, levels = (1e-6, 0.01) if device.type == "cpu" else (0.03, 1.5)
    assert [*first.totals, *rest.totals] == pytest.approx(unbroken.totals, rel=totals)
    assert rest.distance(unbroken) < levels
