"""The optimizers, Adam and L-BFGS, over the pixels of one scale."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from typing import Any, Protocol, cast

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.adam import adam

from instyle_core.config import optimizer as spec

#: What Adam carries over from one scale to the next: its step, and both moments of each level.
Momentum = dict[str, Any]

#: The decay rates of the moments, and what is added to the root of the second: the paper's values.
_BETAS = (0.9, 0.999)
_EPSILON = 1e-8


class Solver(Protocol):
    """Changes levels (3, h, w), which have gradients after each evaluation."""

    def step(self, evaluate: Callable[[], Tensor], learning_rate: float) -> None:
        """Take one step, in which L-BFGS evaluates the objective several times."""
        ...

    def corrected(self) -> None:
        """Take note that the levels, zeros before the last step, have been changed after it."""
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
        levels: (3, h, w) each, changed in place.
        momentum: from the scale before.
    """

    def __init__(self, levels: Sequence[Tensor], momentum: Momentum | None = None) -> None:
        self._levels = levels
        self._momentum = _zeros(levels)
        if momentum:
            _take_over(self._momentum, momentum)

    def step(self, evaluate: Callable[[], Tensor], learning_rate: float) -> None:
        evaluate()
        moved = [index for index, level in enumerate(self._levels) if level.grad is not None]
        with torch.no_grad():
            adam(
                [self._levels[index] for index in moved],
                [cast(Tensor, self._levels[index].grad) for index in moved],
                [self._momentum["exp_avg"][index] for index in moved],
                [self._momentum["exp_avg_sq"][index] for index in moved],
                [],
                [self._momentum["step"][index] for index in moved],
                fused=True if self._levels[0].device.type == "cpu" else None,
                amsgrad=False,
                beta1=_BETAS[0],
                beta2=_BETAS[1],
                lr=learning_rate,
                weight_decay=0,
                eps=_EPSILON,
                maximize=False,
            )

    def corrected(self) -> None:
        """Nothing: it keeps gradients, not moves."""

    def state(self) -> dict[str, Any]:
        return dict(self._momentum)

    def resume(self, state: dict[str, Any]) -> None:
        for name, kept in self._momentum.items():
            for ours, theirs in zip(kept, state[name], strict=True):
                copy_whole(ours, theirs)

    def momentum(self) -> Momentum:
        return dict(self._momentum)


class LBFGSSolver:
    """Nocedal and Wright 2006, "Numerical Optimization", algorithm 7.5, with a line search (3.5).

    Args:
        levels: (3, h, w) each, changed in place.
        settings: from the spec.
    """

    def __init__(self, levels: Sequence[Tensor], settings: spec.LBFGS) -> None:
        self._levels = levels
        # One iteration a step, so that steps can be counted, observed and interrupted. No
        # tolerances: losses are means, so the gradient of one pixel among millions is tiny long
        # before the objective has converged.
        self._optimizer = torch.optim.LBFGS(
            levels,
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

    def corrected(self) -> None:
        """The curvature of the last step is that along the way it really went."""
        state = self._optimizer.state[self._levels[0]]
        if state.get("t"):
            way = torch.cat([level.detach().flatten() for level in self._levels])
            state["d"] = way / state["t"]

    def state(self) -> dict[str, Any]:
        return self._optimizer.state_dict()

    def resume(self, state: dict[str, Any]) -> None:
        settings = self._optimizer.state_dict()["param_groups"]  # those of the spec, not of a file
        self._optimizer.load_state_dict({**deepcopy(state), "param_groups": settings})

    def momentum(self) -> None:
        """None: curvature pairs are of one size."""


def solver(
    levels: Sequence[Tensor], settings: spec.Adam | spec.LBFGS, momentum: Momentum | None = None
) -> Solver:
    """The solver that a spec names, at the start of a scale."""
    if isinstance(settings, spec.Adam):
        return AdamSolver(levels, momentum)
    return LBFGSSolver(levels, settings)


def copy_whole(target: Tensor, source: Tensor) -> None:
    """Copy a tensor to one of the same shape; torch would repeat a smaller one.

    Raises:
        ValueError: it has another shape.
    """
    if target.shape != source.shape:
        raise ValueError(f"a tensor is of the shape {(*source.shape,)}, not {(*target.shape,)}")
    target.copy_(source)


def _zeros(levels: Sequence[Tensor]) -> Momentum:
    moments = {
        name: [torch.zeros_like(level.detach()) for level in levels]
        for name in ("exp_avg", "exp_avg_sq")
    }
    return {"step": [torch.zeros(()) for _ in levels], **moments}


def _take_over(momentum: Momentum, before: Momentum) -> None:
    """Adam's moments of the scale before, resized level by level, from the finest on.

    A coefficient's gradient goes with 1/area, as losses are means.
    """
    for index in range(min(len(momentum["step"]), len(before["step"]))):
        first, second = (momentum[name][index] for name in ("exp_avg", "exp_avg_sq"))
        old = [before[name][index].to(first.device) for name in ("exp_avg", "exp_avg_sq")]
        ratio = old[0][0].numel() / first[0].numel()
        size = (first.shape[1], first.shape[2])
        scaled = F.interpolate(
            torch.stack([ratio * old[0], ratio**2 * old[1]]), size, mode="bilinear"
        )
        first.copy_(scaled[0])
        second.copy_(scaled[1])
        momentum["step"][index].copy_(before["step"][index])
