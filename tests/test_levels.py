import tracemalloc

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from ocr.levels import means, percentiles

IMAGES = arrays(np.uint8, st.tuples(st.integers(1, 9), st.integers(1, 9)))


@given(IMAGES, st.lists(st.floats(0, 100), min_size=1, max_size=3))
def test_percentiles_are_numpys(image, shares):
    assert np.allclose(percentiles(image, *shares), np.percentile(image, shares), atol=1e-6)
    assert percentiles(image.T, *shares) == percentiles(image, *shares)


@given(IMAGES)
def test_means_are_numpys(image):
    """Whatever its layout in memory, and of a mask as well."""
    for some in (image, image.T, image[::-1], image[:, ::2], image > 100):
        for axis in (0, 1):
            assert np.array_equal(means(some, axis), some.mean(axis))


def test_many_pixels_of_one_level():
    image = np.full((4200, 4200), 200, np.uint8)
    image[0, :3] = 199
    assert percentiles(image, 0, 50, 100) == [199.0, 200.0, 200.0]


def test_counting_takes_little_memory():
    image = np.broadcast_to(np.uint8(7), (4200, 4200)).copy()
    image[:200] = 90
    tracemalloc.start()
    try:
        assert percentiles(image, 0, 50, 100) == [7.0, 7.0, 90.0]
        assert tracemalloc.get_traced_memory()[1] < image.nbytes
    finally:
        tracemalloc.stop()
