"""One labelled line: where its image is, what it says, and which set it belongs to."""

from __future__ import annotations

from collections.abc import Hashable
from dataclasses import dataclass
from pathlib import Path

# the box of a line with a text of which nobody says where it stands: it holds no pixel, so that the
# line is reported as unreadable, and neither lost nor read as the whole page
NO_PLACE = (0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Sample:
    """A line image on disk with its transcription (NFC).

    `group` is the page or writer: no group may stand in two splits. `source` names the data set.
    """

    image: Path
    text: str
    source: str = ""
    group: str = ""
    split: str = "train"
    language: str = ""
    # (left, top, right, bottom) in pixels, where the line is a part of a larger image
    box: tuple[int, int, int, int] | None = None
    # and its polygon there, at least three (x, y)
    outline: tuple[tuple[int, int], ...] | None = None

    @property
    def place(self) -> Hashable:
        """Where the line stands: the same for the same line, however its path is written."""
        return self.image.resolve(), self.box, self.text if self.box == NO_PLACE else None
