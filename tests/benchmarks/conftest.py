"""The benchmarks are scripts; tests of their parts import them by name."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))
