"""instyle: repaint one object of a photo in the style of a painting.

This package holds all that a plugin author imports. Its public names stand in `__init__.pyi`, a
line each, and are resolved when they are first used, so that ``import instyle_core`` costs next to
nothing: neither torch nor pydantic is loaded.

To read the core in an hour, take these files in this order:

1. `errors`: what can go wrong, and how it is told.
2. `events`: what a run reports while it goes on.
3. `interfaces/`: what plugins implement. `pictures` has the conventions of pictures, masks and
   boxes. Then one file per kind of plugin, as a run meets them: `segmenter`, `refiner`,
   `extractor`, `loss`, `ranker`, `merger`. Then their parameters and the checks of them: `params`,
   `input_files`, `messages`, and `kinds`, the table of all kinds.
4. `plugin/`: `hookspecs` is how a package announces its plugins, `registry` finds the installed
   ones, `use` is a plugin with its parameters as a spec names it.
5. `pipeline`: the way from a photo to the finished picture.

Each of the other folders is one part of that way; open it when you need it.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
