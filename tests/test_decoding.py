"""What a beam says of its own certainty, by hand."""

import numpy as np
import pytest

from ocr.alphabet import Alphabet
from ocr.ctc.beam import BeamDecoder, BeamSettings
from ocr.ctc.decoding import Beam, Greedy, agreement


def test_agreement_by_hand():
    texts = [np.array(t) for t in ([1, 2, 3], [1, 3], [1, 4, 3])]
    agreed = agreement(texts, [0.5, 0.3, 0.2])
    assert agreed.tolist() == pytest.approx([1.0, 0.5, 1.0])


def test_alternatives_share_the_beam():
    alphabet = Alphabet("ab")
    scores = np.log(np.array([[0.1, 0.6, 0.3], [0.98, 0.01, 0.01]]))
    decoder = Beam(BeamDecoder(alphabet, BeamSettings.exact(50)), nbest=50)
    (found,) = decoder([scores])
    assert alphabet.decode(found.path.labels) == "a"
    assert sum(p for _, p in found.alternatives) == pytest.approx(1)
    shares = {alphabet.decode(k): p for k, p in found.alternatives}
    # a-, aa, -a over everything
    assert shares["a"] == pytest.approx(0.6 * 0.98 + 0.6 * 0.01 + 0.1 * 0.01)
    assert found.path.probabilities[0] == pytest.approx((0.6 + shares["a"] + shares.get("ab", 0)
                                                         + shares.get("ba", 0)) / 2)  # fmt: skip


def test_both_decoders_read_clear_lines_alike():
    alphabet = Alphabet("abc")
    rng = np.random.default_rng(0)
    lines = []
    for frames in (0, 1, 7, 40):
        logits = rng.normal(0, 1, (frames, 4))
        logits[np.arange(frames), rng.integers(0, 4, frames)] += 12
        lines.append((logits - np.logaddexp.reduce(logits, 1, keepdims=True)).astype(np.float32))
    beam = Beam(BeamDecoder(alphabet))(lines)
    for one, other in zip(Greedy()(lines), beam, strict=True):
        for part in ("labels", "starts", "ends"):
            np.testing.assert_array_equal(getattr(one.path, part), getattr(other.path, part))
