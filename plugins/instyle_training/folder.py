"""The folder of a training: its settings, and whether it may be written to."""

# ruff: noqa: TID253  (this module computes, and is imported when it does)

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from lightning.pytorch.utilities import rank_zero_only

from instyle_core import InputError


def check_folder(folder: Path, settings: dict[str, Any], *, resume: bool) -> None:
    """Refuse to overwrite an earlier training, or to resume with other settings.

    Args:
        folder: of the training.
        settings: all that must be the same for the result to be the same, as JSON can hold it;
            ``recipe`` is a dictionary in it.
        resume: whether to go on with the training that is there.

    Raises:
        InputError: a training is there, or none to resume, or one with other settings.
    """
    there = (folder / "checkpoints" / "last.ckpt").is_file()
    if there and not resume:
        raise InputError(
            "an earlier training is there",
            where=str(folder),
            hint="go on with it by --resume, or choose another folder",
        )
    if resume and not there:
        raise InputError(
            "there is no training to go on with",
            where=str(folder),
            hint="leave out --resume; the first epoch may not have been over",
        )
    if resume:
        before = _flat(json.loads((folder / "training.json").read_text(encoding="utf-8")))
        now = _flat(json.loads(json.dumps(settings)))
        for key in now:
            if before.get(key, now[key]) != now[key]:
                raise InputError(
                    f"{key} was {before[key]}, and is now {now[key]}",
                    where=str(folder),
                    hint="resume with the options and the data that the training began with",
                )


def _flat(settings: dict[str, Any]) -> dict[str, Any]:
    """With the recipe's fields among the others."""
    return {**{key: settings[key] for key in settings if key != "recipe"}, **settings["recipe"]}


@rank_zero_only
def write_settings(folder: Path, settings: dict[str, Any]) -> None:
    """Write ``training.json``, which `check_folder` reads."""
    folder.mkdir(parents=True, exist_ok=True)
    text = json.dumps(settings, indent=2) + "\n"
    (folder / "training.json").write_text(text, encoding="utf-8")
