"""How many processor cores there are for us."""

from __future__ import annotations

import os


def cores() -> int:
    """Cores that this process may use: a container may have fewer of them than the machine."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
