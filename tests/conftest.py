import os
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")  # before torch comes in
# more than a hundred programs are started: not each of them is to compile all of ours anew
os.environ.pop("PYTHONDONTWRITEBYTECODE", None)

import cv2
import numpy as np
import pytest
from hypothesis import HealthCheck, settings
from PIL import Image, ImageDraw, ImageFont

cv2.setNumThreads(1)
# a busy machine is no failure
settings.register_profile("steady", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("steady")

# of half a minute and more; first, so that no process is alone with one of them in the end
LONG = ("test_training", "test_unlabelled", "test_batch", "test_finetune", "test_pack")


def pytest_collection_modifyitems(items):
    items.sort(key=lambda item: item.path.stem not in LONG)


def draw_text(text, size=40, margin=(8, 12), ink=20, paper=235):
    """A grey line image: `text` in Pillow's own font, `margin` (rows, columns) around it."""
    font = ImageFont.load_default(size)
    left, top, right, bottom = font.getbbox(text)
    rows, columns = margin
    image = Image.new("L", (int(right - left) + 2 * columns, int(bottom - top) + 2 * rows), paper)
    ImageDraw.Draw(image).text((columns - left, rows - top), text, ink, font)
    return np.asarray(image).copy()


def likeness(a, b):
    """Correlation of two prepared lines; lines of clearly different width are not alike at all."""
    if not 0.95 < a.shape[1] / b.shape[1] < 1.05:
        return 0.0
    b = cv2.resize(b, a.shape[::-1], interpolation=cv2.INTER_AREA)
    return float(np.corrcoef(a.ravel(), b.ravel())[0, 1])


@pytest.fixture(scope="session")
def line():
    """One drawn line, dark on light paper."""
    return draw_text("Grey quick fox, 1892")


@pytest.fixture(scope="session")
def samples():
    """The folder of the sample lines."""
    return Path(__file__).parent.parent / "datasets" / "samples"


def write_lines(folder, texts, groups=None):
    folder.mkdir(parents=True, exist_ok=True)
    rows = ["path\ttext\tgroup"]
    for i, text in enumerate(texts):
        cv2.imwrite(str(folder / f"{i:03}.png"), draw_text(text, size=30))
        rows.append(f"{i:03}.png\t{text}\t{groups[i] if groups else ''}")
    (folder / "labels.tsv").write_text("\n".join(rows) + "\n", encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def readers():
    """The shipped weights, greedily and by the search."""
    from ocr import load

    return [load(decoder=decoder) for decoder in ("greedy", "beam")]


@pytest.fixture(scope="session")
def face():
    """A printed face, 40 pixels to the em."""
    from ocr.data.fonts import find_fonts

    return ImageFont.truetype(str(find_fonts(["fontpkg:lora"])[0].path), 40)
