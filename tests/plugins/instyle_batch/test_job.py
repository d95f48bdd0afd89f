"""What a job and its outcome are in ``batch.json``."""

from __future__ import annotations

import pickle

from instyle_batch.job import Job, Outcome, Task


def test_facts_are_flat() -> None:
    outcome = Outcome(Job("a/b.png", "/p/b.png", "/s/x.jpg"), "failed", 1.5, "why", ("a note",))
    assert outcome.facts() == {
        "name": "a/b.png",
        "photo": "/p/b.png",
        "style": "/s/x.jpg",
        "status": "failed",
        "seconds": 1.5,
        "reason": "why",
        "notes": ["a note"],
    }


def test_they_go_to_other_processes() -> None:
    for thing in (Task("s", "o", ("a=1",)), Outcome(Job("n", "p"), "done")):
        assert pickle.loads(pickle.dumps(thing)) == thing
