"""A folder that is watched: photos are taken once they are whole."""

from __future__ import annotations

#: A file is whole once its size and time have been at rest for so many seconds.
REST_S = 2.0
