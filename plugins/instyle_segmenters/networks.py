"""What the segmenters ``torchvision`` and ``smp`` share: weights, sizes and normalization."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from torch import Tensor, nn
from torch.nn import functional as F

from instyle_core import WeightsError, first_line, read_state_dict

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


#: What training programs put before every name: Lightning's module, and torch's DataParallel.
_PREFIXES = ("model.", "module.")


def read_state(path: Path) -> dict[str, Tensor]:
    """The tensors of a file by the names that they have within the network itself.

    Raises:
        WeightsError: as `instyle_core.read_state_dict` does.
    """
    state = read_state_dict(path)
    for prefix in _PREFIXES:
        if all(name.startswith(prefix) for name in state):
            state = {name.removeprefix(prefix): value for name, value in state.items()}
    return state


def load_state(network: nn.Module, state: Mapping[str, Tensor], path: Path, what: str) -> None:
    """Put weights into a network, all of them and no others, and make it ready for use.

    Args:
        network: in any state.
        state: what `read_state` read.
        path: where from.
        what: what the network is, such as ``unet on resnet34 with 2 classes``.

    Raises:
        WeightsError: names or shapes differ; it names the first.
    """
    try:
        network.load_state_dict(dict(state))  # smp also accepts the names of its older versions
    except RuntimeError as error:
        raise WeightsError(
            f"the file is of another network than {what}: {_difference(network, state, error)}",
            where=str(path),
            hint="name the network that the weights were trained with",
        ) from error
    network.eval().requires_grad_(False)


def _difference(network: nn.Module, state: Mapping[str, Tensor], error: RuntimeError) -> str:
    wanted = network.state_dict()
    for name in [*wanted, *state]:
        have, want = (list(d[name].shape) if name in d else None for d in (state, wanted))
        if have != want:
            there = "absent" if have is None else f"{have}"
            here = "not known" if want is None else f"{want}"
            return f"the tensor '{name}' is {there} in the file and {here} in the network"
    return first_line(error)


def shrunk(image: Tensor, size: tuple[int, int]) -> Tensor:
    """A picture (3, H, W) as a batch of one, (1, 3, h, w)."""
    if tuple(image.shape[1:]) == size:
        return image[None]
    return F.interpolate(image[None], size, mode="bilinear", antialias=True)


def enlarged(probabilities: Tensor, size: tuple[int, int]) -> Tensor:
    """Probabilities (K, h, w) at the size of the photo; they still sum to 1."""
    if tuple(probabilities.shape[1:]) == size:
        return probabilities
    return F.interpolate(probabilities[None], size, mode="bilinear")[0]


def normalized(image: Tensor, mean: tuple[float, ...], std: tuple[float, ...]) -> Tensor:
    """(N, 3, H, W) in [0, 1], less the mean and divided by the standard deviation."""
    shape = (3, 1, 1)
    return (image - image.new_tensor(mean).view(shape)) / image.new_tensor(std).view(shape)
