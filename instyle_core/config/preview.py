"""A preview: a run that is small and quick, to judge the look by."""

from __future__ import annotations

from instyle_core.config.document import Document
from instyle_core.interfaces.input_files import absolute

#: The most that a preview has: the long sides of crop and photo, in pixels, and steps.
_MOST = {"size": 224, "shrink": 640}
_STEPS = 60


def preview(document: Document) -> None:
    """Give a spec fewer pixels and steps, and another name for the picture.

    Args:
        document: the spec, before it is checked; it is changed.
    """
    if not isinstance(document.data, dict):
        return
    for key, most in _MOST.items():
        value = document.data.get(key, most)
        if isinstance(value, int) or value is None:
            document.assign(key, min(value or most, most), "--preview")
    optimizer = document.data.get("optimizer")
    steps = optimizer.get("steps", 200) if isinstance(optimizer, dict) else 200
    if optimizer is None:
        document.assign("optimizer.use", "adam", "--preview")
    if isinstance(steps, int):
        document.assign("optimizer.steps", max(1, min(steps, _STEPS)), "--preview")
    output = document.data.get("output")
    if isinstance(output, str) and output != "-":
        path = absolute(output, document.folder)
        if not path.name:
            return  # the check of the document reports that
        preview = path.with_stem(f"{path.stem}-preview")
        document.assign("output", str(preview), "--preview")
