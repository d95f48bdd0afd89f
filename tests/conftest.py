"""What holds for all tests."""

from __future__ import annotations

import signal

# A shell starts jobs in the background with SIGINT ignored. The processes that tests start and
# interrupt would inherit that.
signal.signal(signal.SIGINT, signal.default_int_handler)
