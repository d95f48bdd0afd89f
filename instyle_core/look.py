"""Looks at a photo for a program that asks again and again, such as the studio.

The commands `instyle segment` and `instyle style rank` do the same once. Here the last photo, what
was segmented in it, and the networks stay in memory between two questions.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
from pydantic import ValidationError

from instyle_core.config.plan import default_ranker, default_segmenter
from instyle_core.config.resolve import resolve
from instyle_core.config.select import Select
from instyle_core.config.spec import COLORS_OF_STYLE, Spec
from instyle_core.device import choose_device
from instyle_core.errors import InputError, SpecError
from instyle_core.events import Download, Observer, ignore
from instyle_core.images.masks import read_mask
from instyle_core.images.picture import MAX_MEGAPIXELS, Picture, read_picture
from instyle_core.interfaces.pictures import Mask
from instyle_core.interfaces.segmenter import Segmentation
from instyle_core.objects.candidates import mask_of
from instyle_core.objects.find import segment
from instyle_core.objects.select import candidates, choose, refine
from instyle_core.objects.shown import facts, shown
from instyle_core.painting.ranking import rank, subject_of
from instyle_core.plugin.keeping import keep_networks
from instyle_core.plugin.registry import Registry
from instyle_core.plugin.use import Use
from instyle_core.settings import setting
from instyle_core.validation import misfits
from instyle_core.weights.fetch import fetch, locate


class Look:
    """Finds objects in photos and rates styles for them.

    Args:
        folder: the one that relative paths in parameters of plugins start from.
        max_megapixels: larger pictures, in 10^6 pixels, are refused.
        on_event: is told of downloads and notes.
    """

    def __init__(
        self,
        folder: Path,
        *,
        max_megapixels: float = MAX_MEGAPIXELS,
        on_event: Observer = ignore,
    ) -> None:
        self._context = {"registry": Registry.installed(), "folder": folder, "extractors": {}}
        self._max_megapixels = max_megapixels
        self._tell = on_event
        self._made: dict[str, Any] = {}
        self._picture: Picture | None = None
        self._segmentations: dict[Any, Segmentation] = {}

    def load(self) -> None:
        """Load the default segmenters, of objects told by a class and by pointing.

        Raises:
            InstyleError: one of them cannot be made.
        """
        with keep_networks(self._made):
            for told in ({}, {"point": [0, 0]}):
                default_segmenter(Select.model_validate(told), self._context).create()

    def picture(self, path: Path) -> Picture:
        """A picture at full resolution; the last one is kept.

        Raises:
            InputError: see `instyle_core.read_picture`.
        """
        if self._picture is None or self._picture.path != path:
            self._picture, self._segmentations = None, {}  # room for the next one
            self._picture = read_picture(path, max_megapixels=self._max_megapixels)
        return self._picture

    def find(
        self, photo: Path, asked: Mapping[str, Any], segmenter: Any = None, refiner: Any = None
    ) -> tuple[list[dict[str, Any]], Mask]:
        """Find the object that is meant.

        Args:
            photo: the file.
            asked: as under ``select`` in a spec.
            segmenter: as in a spec; None for the default one.
            refiner: as under ``refine`` in a spec; None for the segmenter's own.

        Returns:
            The objects that fit, as `instyle segment --json` lists them, and the mask that a run
            would use.

        Raises:
            SpecError: with everything that is wrong with what is asked.
            InputError: the photo cannot be used, or there is no such object.
        """
        select = _select(asked)
        use = self._segmenter(select, segmenter, refiner)
        found, picture, segmentation, small = self._segment(photo, use, select)
        chosen = choose(found, small, segmentation, self._tell)
        meant = refine(mask_of(chosen), picture.pixels, use)
        rows = []
        for number, candidate in shown(found, chosen):
            own = candidate in chosen
            mask = meant if own and len(chosen) == 1 else candidate.mask()
            rows.append(facts(candidate, number, mask, selected=own))
        return rows, meant

    def everything(
        self, photo: Path, segmenter: Any = None, refiner: Any = None
    ) -> Iterator[tuple[dict[str, Any], Mask]]:
        """All objects of a photo, largest first, each with its mask; otherwise as `find`."""
        select = Select()
        use = self._segmenter(select, segmenter, refiner)
        found, picture, _, _ = self._segment(photo, use, select)
        for number, candidate in shown(found, None):
            mask = refine(candidate.mask(), picture.pixels, use)
            if mask.decision.any():
                yield facts(candidate, number, mask, selected=False), mask

    def rank(
        self, photo: Path, mask: Path | None, pictures: Sequence[Path], ranker: Any = None
    ) -> dict[Path, float]:
        """Rate style pictures for an object of a photo.

        Args:
            photo: the file.
            mask: a file with the object's mask; None for the whole photo.
            pictures: files. Those that cannot be read, and the photo itself, are left out.
            ranker: as in a spec; None for the default one.

        Returns:
            The scores, best first; a lower one is better.

        Raises:
            SpecError: the ranker cannot be used.
            InputError: a file cannot be read, or none of the pictures.
        """
        use = self._resolve("ranker", ranker) if ranker else default_ranker(self._context)
        readers = {name: self._resolve("extractor", name) for name in use.reads()}
        chosen = setting("device")
        device = choose_device(chosen.value if chosen else "auto")
        self._fetch(use, *readers.values())
        picture = self.picture(photo)
        where = None
        if mask:
            values = read_mask(mask, picture.size, max_megapixels=self._max_megapixels)
            where = Mask(values, (values >= 0.5).float())
        margin = Spec.model_fields["margin"].default
        with keep_networks(self._made):
            networks = {n: r.create().to(device, torch.float32) for n, r in readers.items()}
        (ranking,) = rank(
            pictures,
            photo,
            [subject_of(picture.pixels, where, COLORS_OF_STYLE, margin)],
            use,
            networks,
            device,
            self._tell,
            max_megapixels=self._max_megapixels,
        )
        return {path: rating.score for path, rating in ranking.items()}

    def _segment(self, photo: Path, use: Use, select: Select) -> Any:
        """The candidates, the photo, its segmentation, and the selection in the photo's pixels."""
        picture = self.picture(photo)
        self._fetch(use, *([use.refine] if use.refine else []))
        with keep_networks(self._made):
            small, segmentation = segment(picture, use, select, self._segmentations, self._tell)
        if len(self._segmentations) > 2:  # each has as many planes as classes, of the photo's size
            self._segmentations.pop(next(iter(self._segmentations)))
        return candidates(segmentation, small), picture, segmentation, small

    def _segmenter(self, select: Select, written: Any, refiner: Any) -> Use:
        if written is None:
            use = default_segmenter(select, self._context)
        else:
            use = self._resolve("segmenter", written)
        if refiner is not None:
            refine = None if refiner == "none" else self._resolve("refiner", refiner)
            use = replace(use, refine=refine)
        problems = [
            InputError(what, where=".".join(map(str, ("select", *place))), hint=hint)
            for place, what, hint in misfits(select, use)
        ]
        if problems:
            raise SpecError(problems)
        return use

    def _resolve(self, kind: str, written: Any) -> Use:
        try:
            return resolve(kind, written, self._context)
        except ValidationError as error:
            raise _spec_error(error, kind) from error

    def _fetch(self, *uses: Use) -> None:
        """Download what is missing, and tell how far it is."""
        for weights in dict.fromkeys(w for use in uses for w in use.pretrained()):
            if locate(weights) is None:
                name = weights.name
                fetch(weights, on_progress=lambda *far, n=name: self._tell(Download(n, *far)))


def _select(asked: Mapping[str, Any]) -> Select:
    try:
        return Select.model_validate(dict(asked))
    except ValidationError as error:
        raise _spec_error(error, "select") from error


def _spec_error(error: ValidationError, where: str) -> SpecError:
    return SpecError(
        [InputError(e["msg"], where=".".join(map(str, (where, *e["loc"])))) for e in error.errors()]
    )
