"""The border: what a plugin hands over is checked where it comes into the core.

A guard stands for what a plugin made. It has the same interface, so that the core calls it as it
would call the thing itself, and turns whatever is raised or returned against the interface into a
`PluginError` that names the plugin. At every step, guards look at types, shapes and devices alone.
Numbers, which a GPU would have to be waited for, they look at where something is called once for
an object, and at the first call of an extractor or a loss.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from typing import TYPE_CHECKING, Any
from weakref import ReferenceType, ref

from instyle_core.errors import InstyleError, PluginError, described
from instyle_core.interfaces.extractor import FeatureExtractor
from instyle_core.interfaces.kinds import KINDS
from instyle_core.interfaces.loss import SHARE_OF_REACH, Loss, SummedLoss, Sums, Targets, View
from instyle_core.interfaces.merger import Merger
from instyle_core.interfaces.pictures import Mask
from instyle_core.interfaces.ranker import Ranker, Rating
from instyle_core.interfaces.refiner import Refiner
from instyle_core.interfaces.segmenter import Instance, Prompt, Segmentation, Segmenter

if TYPE_CHECKING:
    import torch
    from torch import Tensor

    from instyle_core.plugin.use import Use

#: How far numbers may be off by rounding: probabilities from a sum of 1, pixels from [0, 1].
TOLERANCE = 1e-3

#: How far a merger may change pixels that it does not paint, in levels of 255: 8 bits round.
LEVELS = 1


@contextmanager
def called(who: str, method: str) -> Iterator[None]:
    """Around a plugin's code: what it raises names it, and what it prints is no output of ours.

    Three kinds of errors pass as they are: the user's Ctrl-C; what is said for people already; and
    that memory has run out, after which the core computes in another way.
    """
    try:
        with redirect_stdout(sys.stderr):
            yield
    except (KeyboardInterrupt, InstyleError):
        raise
    except BaseException as error:  # SystemExit, too
        if "torch" in sys.modules:
            from instyle_core.device import is_out_of_memory

            if is_out_of_memory(error):
                raise
        raise PluginError(who, f"{method} raised {described(error)}") from error


def guard(use: Use, thing: Any) -> Any:
    """The guard of what a plugin made.

    Raises:
        PluginError: it is not what its record says it is.
    """
    interface = KINDS[use.plugin.kind].interface
    if not isinstance(thing, interface):
        name = f"instyle_core.{interface.__name__}"
        made = f"{use.plugin.factory} made a {type(thing).__name__}, which is no {name}"
        raise PluginError(use.who, made)
    return (_SummedLoss if isinstance(thing, SummedLoss) else _GUARDS[use.plugin.kind])(use, thing)


class _Guard:
    """What all guards have in common; `thing` is what the plugin made."""

    def __init__(self, use: Use, thing: Any) -> None:
        self.thing = thing
        self._use = use
        self._known: set[str] = set()  # what has been looked at, and need not be again
        self._lent: list[tuple[ReferenceType[Tensor], int]] = []
        self._reads = use.reads()

    def ask(self, reads: Mapping[str, Sequence[str]]) -> None:
        """See to it that layers that are asked for are declared."""
        for extractor, layers in reads.items():
            for layer in layers:
                if layer not in self._reads.get(extractor, ()):
                    what = f"the layer {layer!r} of {extractor!r}"
                    raise self._broken(what, "read", "declared by reads() of its parameters")

    def lend(self, tensor: Tensor) -> Tensor:
        """Note how often a tensor was written to, to compare if the core has it after the call."""
        if not tensor.is_inference():
            self._lent.append((ref(tensor), tensor._version))
        return tensor

    def _call(self, method: str, *arguments: Any, inputs: Sequence[Tensor] = ()) -> Any:
        """Call a method that must not change what it is lent, nor its inputs even through NumPy."""
        copies = [tensor.clone() for tensor in inputs]
        try:
            with called(self._use.who, f"{method}()"):
                result = getattr(self.thing, method)(*arguments)
            held = ((there(), version) for there, version in self._lent)
            same = all(tensor is None or tensor._version == version for tensor, version in held)
        finally:
            self._lent.clear()
        if not same or not all(a.equal(b) for a, b in zip(copies, inputs, strict=True)):
            raise self._broken(f"what {method}() was given", "changed", "left as it was")
        return result

    def _broken(self, what: str, found: str, promised: str) -> PluginError:
        return PluginError(self._use.who, f"{what} is {found}; it should be {promised}")

    def _first(self, what: str) -> bool:
        first = what not in self._known
        self._known.add(what)
        return first

    def _type(self, what: str, value: Any, wanted: Any, promised: str) -> None:
        if not isinstance(value, wanted):
            found = "None" if value is None else f"a {type(value).__name__}"
            raise self._broken(what, found, promised)

    def _tensor(self, what: str, value: Any, shape: Sequence[int | str], like: Tensor) -> None:
        """A tensor of floats on the device of another; a side that has a name may be any."""
        import torch

        self._type(what, value, torch.Tensor, "a tensor")
        fits = value.ndim == len(shape) and value.numel() > 0
        sides = zip(value.shape, shape, strict=True) if fits else ()
        if not fits or any(n not in (side, str(n)) for side, n in sides):
            promised = f"of ({', '.join(map(str, shape))})"
            raise self._broken(what, f"of the shape {(*value.shape,)}", promised)
        if not value.is_floating_point():
            raise self._broken(what, f"of {value.dtype}", "of floating-point numbers")
        if value.device != like.device:
            raise self._broken(what, f"on the device {value.device}", f"on {like.device}")

    def _within(
        self, what: str, value: Tensor, low: float = -math.inf, high: float = math.inf
    ) -> Tensor:
        """Finite numbers, and within bounds; those beyond by rounding are cut off."""
        least, most = float(value.min()), float(value.max())
        finite = math.isfinite(least) and math.isfinite(most)
        if not finite or least < low - TOLERANCE or most > high + TOLERANCE:
            found = f"{least:.6g}" if least == most else f"from {least:.6g} to {most:.6g}"
            found = "NaN in places" if math.isnan(least) else found
            bounds = f"{low:g}" if low == high else f"finite, from {low:g} to {high:g}"
            bounds = f"{bounds} (tolerance {TOLERANCE:g})" if math.isfinite(low) else "finite"
            raise self._broken(what, found, bounds)
        return value if low <= least and most <= high else value.clamp(low, high)

    def _number(self, what: str, value: Any, *bounds: float) -> None:
        import torch

        self._type(what, value, int | float, "a number")
        self._within(what, torch.tensor(value, dtype=torch.float64), *bounds)

    def _picture(self, what: str, value: Any, shape: Sequence[int], like: Tensor) -> Tensor:
        """Pixels, a mask or probabilities: of the type of another, in [0, 1], without gradient."""
        self._tensor(what, value, shape, like)
        if value.dtype != like.dtype:
            raise self._broken(what, f"of {value.dtype}", f"of {like.dtype}")
        return self._within(what, value.detach(), 0, 1)

    def _decision(self, what: str, value: Any, like: Tensor) -> Tensor:
        value = self._picture(what, value, like.shape, like)
        others = value[(value != 0) & (value != 1)]
        if len(others):
            raise self._broken(what, f"{float(others[0]):.6g} in places", "0 or 1")
        return value

    def _gradient(self, what: str, values: Sequence[Tensor], sources: Sequence[Tensor]) -> None:
        """There is one, if the pixels want any; the way down to them is walked once."""
        import torch

        if not torch.is_grad_enabled() or not any(source.requires_grad for source in sources):
            return
        connected = any(value.requires_grad for value in values)
        if connected and self._first(f"the gradient of {what}"):
            connected = not _leaves(values).isdisjoint(_leaves(sources))
        if not connected:
            raise self._broken(what, "without a gradient to the picture", "differentiable")


class _Segmenter(_Guard, Segmenter):
    def segment(self, image: Tensor, prompt: Prompt) -> Segmentation:
        seen = self._call("segment", image, prompt, inputs=[image])
        self._type("segment()", seen, Segmentation, "an instyle_core.Segmentation")
        names, what = seen.classes, "segment().probabilities"
        self._type("segment().classes", names, tuple | list, "a tuple of names")
        if {type(name) for name in names} != {str} or len(set(names)) < len(names):
            raise self._broken("segment().classes", str(names), "some names, each of them once")
        shape = (len(names), *image.shape[1:])
        probabilities = self._picture(what, seen.probabilities, shape, image)
        self._within(f"the sum of {what}", probabilities.sum(dim=0), 1, 1)
        instances = seen.instances
        if instances is not None:
            self._type("segment().instances", instances, tuple | list, "a tuple, or None")
            instances = tuple(self._instance(*pair, names, image) for pair in enumerate(instances))
        self._type("segment().notes", seen.notes, tuple | list, "a tuple of sentences")
        notes = tuple(map(str, seen.notes))
        return Segmentation(tuple(names), probabilities, instances, notes)

    def _instance(self, number: int, found: Any, names: Sequence[str], image: Tensor) -> Instance:
        what = f"segment().instances[{number}]"
        self._type(what, found, Instance, "an instyle_core.Instance")
        if found.class_name not in names:
            raise self._broken(f"{what}.class_name", repr(found.class_name), f"one of {names}")
        self._number(f"{what}.score", found.score, 0, 1)
        mask = self._picture(f"{what}.mask", found.mask, (1, *image.shape[1:]), image)
        return replace(found, mask=mask)


class _Refiner(_Guard, Refiner):
    def refine(self, image: Tensor, mask: Mask) -> Mask:
        before, what = mask.decision, "refine().decision"
        refined = self._call("refine", image, mask, inputs=[image, *_layers(mask)])
        self._type("refine()", refined, Mask, "an instyle_core.Mask")
        decision = self._decision(what, refined.decision, before)
        if not decision.any():
            raise self._broken(what, "empty", "of a pixel at least, as that of the mask before")
        what, alpha = "refine().probability", refined.alpha
        probability = self._picture(what, refined.probability, before.shape, before)
        if alpha is not None:
            alpha = self._picture("refine().alpha", alpha, before.shape, before)
        return Mask(probability, decision, alpha)


class _Extractor(_Guard, FeatureExtractor):
    def __init__(self, use: Use, thing: Any) -> None:
        super().__init__(use, thing)
        layers = use.layers().items()
        self._layers = {layer: (stride, use.reach(layer) is None) for layer, stride in layers}

    def extract(self, images: Tensor, layers: Sequence[str]) -> Mapping[str, Tensor]:
        maps = self._call("extract", self.lend(images), layers)
        self._type("extract()", maps, Mapping, "a mapping of layers to feature maps")
        for layer in layers:
            what = f"extract()[{layer!r}]"
            if layer not in maps:
                raise self._broken(what, "missing", "there, for it was asked for")
            self._tensor(what, maps[layer], (len(images), "C", "h", "w"), images)
            self._cells(what, maps[layer], images, *self._layers[layer])
            self._gradient(what, [maps[layer]], [images])
            if self._first(what):
                self._within(what, maps[layer].detach())
        return maps

    def _cells(self, what: str, maps: Tensor, images: Tensor, stride: int, whole: bool) -> None:
        """As many as fit; and one more for the rest where only the whole picture can be shown."""
        for side, cells in zip(images.shape[2:], maps.shape[2:], strict=True):
            if not 0 <= cells - side // stride <= (whole and side % stride > 0):
                found, promised = f"of {cells} cells for {side} pixels", f"of {side // stride}"
                raise self._broken(what, found, f"{promised}, by its stride of {stride}")

    def to(self, device: torch.device, dtype: torch.dtype) -> FeatureExtractor:
        return guard(self._use, self._call("to", device, dtype))


class _View(View):
    """What a reader may see of a view."""

    def __init__(self, view: View, guard: _Guard) -> None:
        self._view = view
        self._guard = guard

    @property
    def image(self) -> Tensor:
        return self._guard.lend(self._view.image)

    @property
    def generator(self) -> torch.Generator:
        return self._view.generator

    def mask(self, size: Sequence[int] | None = None) -> Tensor:
        return self._guard.lend(self._view.mask(size))

    def inside(self, extractor: str, layer: str, *, share: float = SHARE_OF_REACH) -> Tensor:
        self._guard.ask({extractor: [layer]})
        return self._guard.lend(self._view.inside(extractor, layer, share=share))

    def features(self, extractor: str, layer: str, *, raw: bool = False) -> Tensor:
        self._guard.ask({extractor: [layer]})
        return self._guard.lend(self._view.features(extractor, layer, raw=raw))

    def at(self, cells: Tensor, extractor: str | None = None, layer: str = "") -> Tensor:
        if extractor is not None:
            self._guard.ask({extractor: [layer]})
        return self._view.at(cells, extractor, layer)

    def random(self, *size: int) -> Tensor:
        return self._guard.lend(self._view.random(*size))

    def part(self, whole: Tensor) -> Tensor:
        return self._view.part(whole)

    def summed(
        self, sums: Callable[[View], Sums], reads: Mapping[str, Sequence[str]], what: str
    ) -> Sums:
        self._guard.ask(reads)
        return self._view.summed(lambda view: sums(_View(view, self._guard)), reads, what)


class _Loss(_Guard, Loss):
    def prepare(self, targets: Targets) -> None:
        content, *styles = (_View(view, self) for view in (targets.content, *targets.styles))
        self._call("prepare", Targets(content, tuple(styles), targets.style_weights))

    def __call__(self, view: View) -> Tensor:
        return self._scalar("__call__", _View(view, self), [view.image])

    def _scalar(self, method: str, argument: Any, sources: Sequence[Tensor]) -> Tensor:
        value, what = self._call(method, argument), f"{method}()"
        self._tensor(what, value, (), sources[0])
        self._gradient(what, [value], sources)
        if self._first(what):
            self._within(what, value.detach(), low=0)
        return value


class _SummedLoss(_Loss, SummedLoss):
    def sums(self, view: View) -> Sums:
        import torch

        sums = self._call("sums", _View(view, self))
        self._type("sums()", sums, tuple | list, "a tuple of tensors")
        for each in sums:
            self._type("one of sums()", each, torch.Tensor, "a tensor")
        self._gradient("sums()", sums, [view.image])
        return tuple(sums)

    def value(self, sums: Sums) -> Tensor:
        return self._scalar("value", sums, sums)


class _Ranker(_Guard, Ranker):
    def rate(self, content: View, style: View) -> Rating:
        rating = self._call("rate", _View(content, self), _View(style, self))
        self._type("rate()", rating, Rating, "an instyle_core.Rating")
        self._number("rate().score", rating.score)
        self._type("rate().figures", rating.figures, Mapping, "a mapping of names to numbers")
        for name, value in rating.figures.items():
            self._number(f"rate().figures[{name!r}]", value)
        return rating


class _Merger(_Guard, Merger):
    def paints(self, mask: Mask) -> Tensor:
        paints = self._call("paints", mask, inputs=_layers(mask))
        return self._decision("paints()", paints, mask.decision)

    def merge(self, content: Tensor, stylized: Tensor, mask: Mask) -> Tensor:
        kept = self.paints(mask) == 0
        inputs = [content, stylized, *_layers(mask)]
        merged = self._call("merge", content, stylized, mask, inputs=inputs)
        merged = self._picture("merge()", merged, content.shape, content)
        change = 255 * float(((merged - content).abs() * kept).max())
        if change > LEVELS + TOLERANCE:
            found = f"{change:.4g} levels of 255 away from the photo"
            raise self._broken("a pixel outside of paints()", found, f"{LEVELS} at the most")
        return merged


_GUARDS = {
    "segmenter": _Segmenter,
    "refiner": _Refiner,
    "extractor": _Extractor,
    "loss": _Loss,
    "ranker": _Ranker,
    "merger": _Merger,
}


def _layers(mask: Mask) -> list[Tensor]:
    return [mask.probability, mask.decision, *([] if mask.alpha is None else [mask.alpha])]


def _leaves(tensors: Sequence[Tensor]) -> set[Any]:
    """The leaves of the graph by which tensors have their gradients."""
    from torch.autograd.graph import get_gradient_edge

    nodes = [get_gradient_edge(tensor).node for tensor in tensors if tensor.requires_grad]
    seen = set(nodes)
    while nodes:
        following = {node for node, _ in nodes.pop().next_functions if node is not None} - seen
        seen |= following
        nodes += following
    return {node for node in seen if not node.next_functions}
