"""instyle: repaint one object of a photo in the style of a painting.

This package holds all that a plugin author imports. Its public names stand in `__init__.pyi`, a
line each, and are resolved when they are first used, so that ``import instyle_core`` costs next to
nothing: neither torch nor pydantic is loaded.

To read the core in an hour, take these files in this order:

1. `errors`: what can go wrong, and how it is told.
2. `events`: what a run reports while it goes on.
3. `interfaces/`: what plugins implement. `pictures` says what a picture, a mask and a box are.
   Then there is one file per kind of plugin, in the order of a run: `segmenter`, `refiner`,
   `ranker`, `extractor`, `loss`, `merger`. `params` is the base of their parameters, and `kinds`
   the table of all kinds.
4. `plugin/`: with `hookspecs` a package announces its plugins, and `use` is one of them with its
   parameters, as a spec names it.
5. `pipeline`: the way from a photo to the finished picture.

Everything else is one part of that way; open it when you need it.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
