"""What people and programs are shown of the objects that were found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from instyle_core.interfaces.pictures import Mask
from instyle_core.objects.boxes import box_of
from instyle_core.objects.candidates import Candidate

#: So many specks are shown where they are what was asked for.
_FEW = 10


def shown(
    found: Sequence[Candidate], chosen: Sequence[Candidate] | None
) -> list[tuple[int, Candidate]]:
    """The candidates to show, each with its place among those of its class.

    By that place, a spec can name it: `instance: 1`. Specks are left out unless they are what was
    asked for.
    """
    count: Counter[str] = Counter()
    result = []
    for candidate in found:
        if not candidate.is_speck or (candidate in (chosen or ()) and len(chosen or ()) < _FEW):
            result.append((count[candidate.class_name], candidate))
        count[candidate.class_name] += 1
    return result


def facts(candidate: Candidate, number: int, mask: Mask, *, selected: bool) -> dict[str, Any]:
    """An object as plain data, as `instyle segment --json` lists it.

    Args:
        candidate: the object.
        number: its place among those of its class.
        mask: its mask, refined or not; not empty.
        selected: whether it is what was asked for.
    """
    return {
        "class": candidate.class_name,
        "instance": number,
        "area": round(float(mask.decision.mean()), 4),
        "box": list(box_of(mask.decision)),
        "confidence": round(candidate.score, 3),
        "selected": selected,
    }
