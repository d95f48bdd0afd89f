"""What a server has: its session, its limits, its workers, its runs."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from importlib.metadata import version
from typing import Any

from instyle_core import PRESETS, Registry, plugin_schema, spec_schema
from instyle_studio.process import Worker
from instyle_studio.runs import Run, Runs
from instyle_studio.session import Limits, Session


@dataclass
class Studio:
    """What a server has.

    Attributes:
        session: the folder.
        limits: of requests.
        looker: the worker that segments, ranks and shrinks.
        painter: the worker that paints.
        runs: all runs.
        photo: the ID of the photo of the command line.
        patience: seconds that a run gets to save what it has when the server ends.
        scores: of styles, by photo, mask, ranker and style.
    """

    session: Session
    limits: Limits
    looker: Worker
    painter: Worker
    runs: Runs
    photo: str | None = None
    patience: float = 0.0
    scores: dict[tuple[str, str | None, str, str], float] = field(default_factory=dict)

    def start(self) -> None:
        """Start the workers and the queue."""
        self.looker.start()
        self.painter.start()
        self.runs.start()

    async def close(self) -> None:
        """End them."""
        await self.runs.close(self.patience)
        await self.looker.close()
        await self.painter.close()

    def told(self, run: Run) -> dict[str, Any]:
        """What the API tells of a run."""
        return {**run.facts(), "place": self.runs.place(run)}

    def facts(self) -> dict[str, Any]:
        """What `GET /api/session` tells."""
        session = self.session
        folders = session.folders.items()
        return {
            "version": version("instyle"),
            "ready": self.looker.ready.is_set(),
            "trouble": self.looker.trouble or self.painter.trouble,
            "download": self.looker.download,
            "presets": list(PRESETS),
            "defaults": {"preset": "default"},
            "photo": self.photo,
            "photos": [dict(item.about) for item in session.items("photos")],
            "styles": [dict(item.about) for item in session.items("styles")],
            "masks": [dict(item.about) for item in session.items("masks")],
            "folders": [{"id": key, "name": folder.name} for key, folder in folders],
            "runs": [self.told(run) for run in self.runs.all()],
            "limits": {
                "upload_bytes": self.limits.upload_bytes,
                "megapixels": self.limits.megapixels,
            },
        }

    @cached_property
    def plugins(self) -> dict[str, Any]:
        """What `GET /api/plugins` tells."""
        found: dict[str, Any] = {}
        registry = Registry.installed()
        for entry in registry.entries():
            plugin = entry.plugin
            facts = {
                "name": plugin.name,
                "summary": plugin.summary,
                "source": plugin.source,
                "distribution": entry.distribution,
                "schema": plugin_schema(plugin),
            }
            found.setdefault(plugin.kind, []).append(facts)
        return found

    @cached_property
    def schema(self) -> dict[str, Any]:
        """What `GET /api/schema` tells."""
        return spec_schema(Registry.installed())
