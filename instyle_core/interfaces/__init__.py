"""What a plugin implements, and what plugins and core exchange: one file per kind.

`pictures` tells what a picture, a mask, a size, a point and a box are in all of them.
"""

from __future__ import annotations

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
