"""The optimizers, Adam and L-BFGS, over the pixels of one scale."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.adam import adam

from instyle_core.config import optimizer as spec

#: What Adam carries over from one scale to the next: its step, and both moments, (3, H, W).
Momentum = dict[str, Tensor]

#: The decay rates of the moments, and what is added to the root of the second: the paper's values.
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class Solver(Protocol):
    """Changes pixels (3, H, W), which have a gradient after each evaluation."""

    def step(self, evaluate: Callable[[], Tensor], learning_rate: float) -> None:
        """Take one step, in which L-BFGS evaluates the objective several times."""
        ...

    def state(self) -> dict[str, Any]:
        """All that `resume` needs; its tensors change with the next step."""
        ...

    def resume(self, state: dict[str, Any]) -> None:
        """Continue from the state of another solver, which is copied."""
        ...

    def momentum(self) -> Momentum | None:
        """What the solver of the next scale starts with; None if it starts with nothing."""
        ...


class AdamSolver:
    """Kingma and Ba 2015, "Adam: A Method for Stochastic Optimization", algorithm 1.

    Calls torch's function; making an instance of its class imports torch's compiler, which takes a
    second.

    Args:
        pixels: (3, H, W), changed in place.
        settings: from the spec.
        momentum: from the scale before.
    """

    def __init__(
        self, pixels: Tensor, settings: spec.Adam, momentum: Momentum | None = None
    ) -> None:
        self._pixels = pixels
        self._weight_decay = settings.weight_decay
        self._momentum = _resized(momentum, pixels) if momentum else _zeros(pixels)

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

    def resume(self, state: dict[str, Any]) -> None:
        for name, kept in self._momentum.items():
            kept.copy_(state[name])

    def momentum(self) -> Momentum:
        return dict(self._momentum)


class LBFGSSolver:
    """Nocedal and Wright 2006, "Numerical Optimization", algorithm 7.5, with a line search (3.5).

    Args:
        pixels: (3, H, W), changed in place.
        settings: from the spec.
    """

    def __init__(self, pixels: Tensor, settings: spec.LBFGS) -> None:
        # One iteration a step, so that steps can be counted, observed and interrupted. No
        # tolerances: losses are means, so the gradient of one pixel among millions is tiny long
        # before the objective has converged.
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

    def resume(self, state: dict[str, Any]) -> None:
        self._optimizer.load_state_dict(deepcopy(state))

    def momentum(self) -> None:
        """None: curvature pairs are of one size."""


def solver(
    pixels: Tensor, settings: spec.Adam | spec.LBFGS, momentum: Momentum | None = None
) -> Solver:
    """The solver that a spec names, at the start of a scale."""
    if isinstance(settings, spec.Adam):
        return AdamSolver(pixels, settings, momentum)
    return LBFGSSolver(pixels, settings)


def _zeros(pixels: Tensor) -> Momentum:
    moments = {name: torch.zeros_like(pixels.detach()) for name in ("exp_avg", "exp_avg_sq")}
    return {"step": torch.zeros(()), **moments}


def _resized(momentum: Momentum, pixels: Tensor) -> Momentum:
    """Adam's moments at another size; a pixel's gradient goes with 1/area, as losses are means."""
    size = (pixels.shape[1], pixels.shape[2])
    first, second = (momentum[name].to(pixels.device) for name in ("exp_avg", "exp_avg_sq"))
    ratio = first[0].numel() / pixels[0].numel()
    scaled = F.interpolate(torch.stack([ratio * first, ratio**2 * second]), size, mode="bilinear")
    return {"step": momentum["step"].clone(), "exp_avg": scaled[0], "exp_avg_sq": scaled[1]}
