"""A strip of paper to write on with mouse, pen or finger, and the image that comes from it.

Strokes are kept as points and drawn as quadratic curves, so that they stay smooth when the strip
changes its size. After a short pause the strip is sent to be read.
"""

from __future__ import annotations

import base64
from pathlib import Path

MOST_BYTES = 4_000_000

TEMPLATE = """
<div class="strip">
  <canvas role="img" aria-label="Paper to write a line on, with mouse, pen or finger"></canvas>
  <div class="hint">write a line here</div>
</div>
<div class="tools">
  <button type="button" class="undo">Undo stroke</button>
  <button type="button" class="clear">Clear</button>
</div>
"""

STYLE = (Path(__file__).parent / "canvas.css").read_text(encoding="utf-8")
SCRIPT = (Path(__file__).parent / "canvas.js").read_text(encoding="utf-8")


def picture(data_url: object) -> bytes | None:
    """The PNG in what the strip sent; None if nothing is drawn, or if it is no picture of ours."""
    head = "data:image/png;base64,"
    if not isinstance(data_url, str) or not data_url.startswith(head):
        return None
    if len(data_url) > MOST_BYTES:
        return None
    try:
        return base64.b64decode(data_url[len(head) :], validate=True)
    except ValueError:  # no base64, or not ASCII
        return None
