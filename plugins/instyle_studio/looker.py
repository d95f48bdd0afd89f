"""The worker that looks at photos: finds objects, rates styles, makes small pictures."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import os
import secrets
import shutil
import time
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from PIL import Image

from instyle_core import (
    InputError,
    Look,
    Mask,
    read_mask,
    read_picture,
    write_object_mask,
    write_picture,
)
from instyle_core.events import Download, Event, Note
from instyle_studio.session import Limits, write_about

if TYPE_CHECKING:
    from instyle_studio.worker import Request, Tell


class Looker:
    """Does what requests ask under ``do``: the methods below, with the other keys as arguments.

    Args:
        root: the folder of the session.
        megapixels: larger pictures, in 10^6 pixels, are refused.
    """

    def __init__(self, root: Path, megapixels: float) -> None:
        self._masks = root / "masks"
        self._megapixels = megapixels
        self._tell: Tell = lambda event: None
        self._look = Look(root, max_megapixels=megapixels, on_event=self._on_event)

    def prepare(self) -> None:
        """Load the default segmenters."""
        self._look.load()

    def __call__(self, request: Request, tell: Tell) -> Any:
        self._tell = tell
        arguments = {key: value for key, value in request.items() if key != "do"}
        work: dict[str, Callable[..., Any]] = {
            "shrink": self.shrink,
            "find": self.find,
            "everything": self.everything,
            "mask": self.mask,
            "cutout": self.cutout,
            "rank": self.rank,
        }
        return work[request["do"]](**arguments)

    def interrupt(self, what: str) -> None:
        """Nothing takes so long that it is stopped."""

    def _on_event(self, event: Event) -> None:
        if isinstance(event, Download):
            facts = {"name": event.name, "done": event.done, "total": event.total}
            self._tell({"type": "download", **facts})
        elif isinstance(event, Note):
            self._tell({"type": "note", "message": event.message})

    def shrink(self, path: str, to: str, longest: int) -> None:
        """Write a picture with a long side of at most `longest` pixels, as WebP."""
        source = Path(path)
        picture = read_picture(source, max_megapixels=self._megapixels, longest=longest)
        write_picture(Path(to), picture.pixels, like=picture, metadata="none")

    def find(
        self, photo: str, photo_id: str, select: Mapping[str, Any], segmenter: Any, refine: Any
    ) -> dict[str, Any]:
        """The objects that fit a selection, and the mask of the one that is meant."""
        rows, meant = self._look.find(Path(photo), select, segmenter, refine)
        identity, facts = self._keep(meant, photo_id)
        return {"objects": rows, "mask": identity, "area": facts["area"], "box": facts["box"]}

    def everything(self, photo: str, photo_id: str, segmenter: Any, refine: Any) -> dict[str, Any]:
        """All objects, each with the ID of its mask."""
        found = []
        for row, mask in self._look.everything(Path(photo), segmenter, refine):
            found.append({**row, "mask": self._keep(mask, photo_id)[0]})
        return {"objects": found, "mask": None}

    def mask(self, path: str, photo_id: str, size: tuple[int, int], name: str) -> dict[str, Any]:
        """Keep an uploaded mask, fitted to the size (height, width) of its photo."""
        values = read_mask(Path(path), (size[0], size[1]), max_megapixels=self._megapixels)
        mask = Mask(values, (values >= 0.5).float())
        if not mask.decision.any():
            raise InputError("the mask is empty", hint="paint some of the object")
        identity, facts = self._keep(mask, photo_id, name)
        return {"id": identity, **facts}

    def _keep(self, mask: Mask, photo_id: str, name: str = "") -> tuple[str, dict[str, Any]]:
        """Write a mask into the session; returns its ID, and its area and box."""
        inside = mask.decision[0] > 0
        rows, columns = (inside.any(dim=side).nonzero()[:, 0].tolist() for side in (1, 0))
        box = [columns[0], rows[0], columns[-1] + 1, rows[-1] + 1]
        facts = {"area": round(float(inside.float().mean()), 4), "box": box}
        identity = secrets.token_hex(8)
        hidden = self._masks / f".{identity}"
        hidden.mkdir()
        try:
            write_object_mask(hidden / "mask.png", mask)
            with Image.open(hidden / "mask.png") as image:
                width, height = image.size
                if max(image.size) > Limits.shown:
                    image.thumbnail((Limits.shown, Limits.shown))
                    image.save(hidden / "shown.png")
            about = {"id": identity, "photo": photo_id, "name": name, "added": time.time()}
            write_about(hidden, {**about, "width": width, "height": height, **facts})
            os.replace(hidden, self._masks / identity)
        finally:
            shutil.rmtree(hidden, ignore_errors=True)
        return identity, facts

    def cutout(self, path: str, mask: str, to: str) -> None:
        """Write an object of a picture alone, a PNG that is transparent around it."""
        picture = self._look.picture(Path(path))
        alpha = read_mask(Path(mask), picture.size, max_megapixels=self._megapixels)
        if picture.alpha is not None:
            alpha = alpha * picture.alpha
        write_picture(Path(to), picture.pixels, like=replace(picture, alpha=alpha))

    @torch.no_grad()
    def rank(self, photo: str, mask: str | None, pictures: list[str], ranker: Any) -> list[Any]:
        """Style pictures with their scores, best first."""
        where = Path(mask) if mask else None
        ranking = self._look.rank(Path(photo), where, [Path(p) for p in pictures], ranker)
        return [[str(path), score] for path, score in ranking.items()]
