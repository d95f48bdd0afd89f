"""What a ranker has to have, and what it returns."""

from __future__ import annotations

from dataclasses import FrozenInstanceError

import pytest

from instyle_core import Ranker, RankerParams, Rating, View, testing


class Brightness(Ranker):
    """How much brighter or darker the style picture is than the object."""

    def __init__(self, params: RankerParams) -> None: ...

    def rate(self, content: View, style: View) -> Rating:
        means = [
            float((view.image * view.mask()).sum() / view.mask().sum() / 3)
            for view in (content, style)
        ]
        return Rating(abs(means[0] - means[1]), {"object": means[0]})


def test_rating_is_all_that_a_ranker_needs() -> None:
    testing.check_ranker(Brightness, RankerParams())
    with pytest.raises(TypeError, match="rate"):
        Ranker()  # type: ignore[abstract]


def test_a_rating_is_a_score_with_or_without_figures() -> None:
    plain, other = Rating(1.5), Rating(1.5)
    assert plain == other
    assert plain.figures == {}
    assert plain.figures is not other.figures
    assert plain != Rating(1.5, {"color": 1.5})
    with pytest.raises(FrozenInstanceError):
        plain.score = 0.0  # type: ignore[misc]
