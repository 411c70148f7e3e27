"""What holds for every step of preparation that takes an image and gives one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ocr.preparation.discs import without_discs
from ocr.preparation.hollow import filled
from ocr.preparation.labels import turned_labels
from ocr.preparation.pills import without_pills


@pytest.mark.parametrize("step", [turned_labels, without_pills, filled, without_discs])
@settings(max_examples=60)
@given(st.integers(1, 50), st.integers(1, 200), st.integers(0, 9))
def test_any_image_is_taken(step, height, width, seed):
    image = np.random.default_rng(seed).integers(0, 256, (height, width)).astype(np.uint8)
    before = image.copy()
    assert step(image).shape == image.shape and (image == before).all()
