"""What takes the steps: Adam or L-BFGS over the pixels of one scale."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.adam import adam

from instyle_core.config import optimizer as spec

#: What Adam takes along from one scale to the next: both moments, (3, H, W), and its step.
Momentum = dict[str, Tensor]


#: Decay of the moments, and what is added to the root of the second: those of the paper.
_BETAS = (0.9, 0.999)


_EPSILON = 1e-8


class Solver(Protocol):
    """Moves pixels (3, H, W), which have a gradient after each evaluation."""

    def step(self, evaluate: Callable[[], Tensor], learning_rate: float) -> None:
        """One step; L-BFGS evaluates the objective several times in one."""
        ...

    def state(self) -> dict[str, Any]:
        """All that it takes to go on; stays what it is as long as no step is taken."""
        ...

    def go_on_from(self, state: dict[str, Any]) -> None:
        """Take the place of the solver whose state it is; the state stays as it is."""
        ...

    def momentum(self) -> Momentum | None:
        """What the next scale's solver can begin with, instead of feeling its way anew."""
        ...


class AdamSolver:
    """Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.

    Torch's function, since making its class imports torch's compiler, which takes a second.

    Args:
        pixels: to move.
        settings: of the spec.
        momentum: of the scale before.
    """

    def __init__(
        self, pixels: Tensor, settings: spec.Adam, momentum: Momentum | None = None
    ) -> None:
        self._pixels = pixels
        self._weight_decay = settings.weight_decay
        self._momentum = _resized(momentum, pixels) if momentum else _still(pixels)

    def step(self, evaluate: Callable[[], Tensor], learning_rate: float) -> None:
        evaluate()
        assert self._pixels.grad is not None
        with torch.no_grad():
            adam(
                [self._pixels],
                [self._pixels.grad],
                [self._momentum["exp_avg"]],
                [self._momentum["exp_avg_sq"]],
                [],
                [self._momentum["step"]],
                fused=True if self._pixels.device.type == "cpu" else None,
                amsgrad=False,
                beta1=_BETAS[0],
                beta2=_BETAS[1],
                lr=learning_rate,
                weight_decay=self._weight_decay,
                eps=_EPSILON,
                maximize=False,
            )

    def state(self) -> dict[str, Any]:
        return dict(self._momentum)

    def go_on_from(self, state: dict[str, Any]) -> None:
        for name, kept in self._momentum.items():
            kept.copy_(state[name])

    def momentum(self) -> Momentum:
        return dict(self._momentum)


class LBFGSSolver:
    """Nocedal and Wright 2006, "Numerical Optimization", algorithm 7.5, with a line search (3.5).

    Args:
        pixels: to move.
        settings: of the spec.
    """

    def __init__(self, pixels: Tensor, settings: spec.LBFGS) -> None:
        # One iteration a step, so that steps can be counted, watched and interrupted. No
        # tolerances: losses are means, so that the gradient of one pixel among millions is tiny,
        # not converged.
        self._optimizer = torch.optim.LBFGS(
            [pixels],
            max_iter=1,
            max_eval=25,
            history_size=settings.history,
            line_search_fn="strong_wolfe",
            tolerance_grad=0,
            tolerance_change=0,
        )

    def step(self, evaluate: Callable[[], Tensor], learning_rate: float) -> None:
        for group in self._optimizer.param_groups:
            group["lr"] = learning_rate
        self._optimizer.step(evaluate)  # type: ignore[arg-type, no-untyped-call]

    def state(self) -> dict[str, Any]:
        return self._optimizer.state_dict()

    def go_on_from(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(deepcopy(state))

    def momentum(self) -> None:
        """Nothing: its pairs are of one size."""


def solver(
    pixels: Tensor, settings: spec.Adam | spec.LBFGS, momentum: Momentum | None = None
) -> Solver:
    """The solver that a spec names, at the beginning of a scale."""
    if isinstance(settings, spec.Adam):
        return AdamSolver(pixels, settings, momentum)
    return LBFGSSolver(pixels, settings)


def _still(pixels: Tensor) -> Momentum:
    moments = {name: torch.zeros_like(pixels.detach()) for name in ("exp_avg", "exp_avg_sq")}
    return {"step": torch.zeros(()), **moments}


def _resized(momentum: Momentum, pixels: Tensor) -> Momentum:
    """Adam's moments at another size: losses are means, so that a pixel's slope goes by 1/area."""
    size = (pixels.shape[1], pixels.shape[2])
    first, second = (momentum[name].to(pixels.device) for name in ("exp_avg", "exp_avg_sq"))
    ratio = first[0].numel() / pixels[0].numel()
    scaled = F.interpolate(torch.stack([ratio * first, ratio**2 * second]), size, mode="bilinear")
    return {"step": momentum["step"].clone(), "exp_avg": scaled[0], "exp_avg_sq": scaled[1]}
