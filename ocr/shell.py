"""Commands that are shown to be copied."""

from __future__ import annotations

import os
import shlex
import subprocess
from pathlib import Path


def word(path: Path) -> str:
    """A path as one word of a command."""
    return shlex.quote(str(path)) if os.name == "posix" else subprocess.list2cmdline([str(path)])
