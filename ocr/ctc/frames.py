"""The length rule of CTC."""

from __future__ import annotations

from collections.abc import Iterable


def frames_needed(labels: Iterable[int]) -> int:
    """Fewest frames on which `labels` can be aligned: L + equal neighbours (a blank parts each)."""
    labels = [int(k) for k in labels]
    return len(labels) + sum(a == b for a, b in zip(labels, labels[1:], strict=False))
