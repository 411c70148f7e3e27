import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from ocr.alphabet import BLANK
from ocr.ctc.greedy import greedy


def emissions(path, classes=4, p=0.7):
    """Log-probabilities whose best path is `path`, with probability `p` (or one each)."""
    p = np.broadcast_to(p, len(path))
    rest = (1 - p) / (classes - 1)
    out = np.repeat(rest[:, None], classes, 1)
    out[np.arange(len(path)), path] = p
    return np.log(out).astype(np.float32)


@pytest.mark.parametrize(
    "path, labels, starts, ends",
    [
        ([], [], [], []),
        ([0], [], [], []),
        ([2], [2], [0], [1]),
        ([0, 0, 0], [], [], []),
        ([1, 1, 1], [1], [0], [3]),
        ([1, 0, 1], [1, 1], [0, 2], [1, 3]),
        ([0, 1, 1, 0, 0, 1, 2, 2, 0], [1, 1, 2], [1, 5, 6], [3, 6, 8]),
        ([3, 2, 2, 3], [3, 2, 3], [0, 1, 3], [1, 3, 4]),
    ],
)
def test_hand_paths(path, labels, starts, ends):
    got = greedy(emissions(np.array(path, int)))
    assert got.labels.tolist() == labels
    assert got.starts.tolist() == starts
    assert got.ends.tolist() == ends
    assert got.probabilities == pytest.approx([0.7] * len(labels))


def test_a_labels_probability_is_that_of_its_best_frame():
    got = greedy(emissions(np.array([1, 1, 1, 0, 2, 2]), p=[0.5, 0.9, 0.6, 0.99, 0.4, 0.3]))
    assert got.labels.tolist() == [1, 2]
    assert got.probabilities == pytest.approx([0.9, 0.4])


@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(0, 12), st.integers(2, 4)),
        elements=st.floats(-9, 0, width=16),
    )
)
def test_like_the_plain_loop(scores):
    expected = []
    before = BLANK
    for t, row in enumerate(scores):
        best = int(row.argmax())
        if best != BLANK and best == before:
            label, start, _, top = expected[-1]
            expected[-1] = (label, start, t + 1, max(top, row[best]))
        elif best != BLANK:
            expected.append((best, t, t + 1, row[best]))
        before = best
    got = greedy(scores)
    found = zip(got.labels, got.starts, got.ends, np.log(got.probabilities), strict=True)
    assert [tuple(map(int, f[:3])) for f in found] == [e[:3] for e in expected]
    assert got.probabilities == pytest.approx(np.exp([e[3] for e in expected]), rel=1e-5)
