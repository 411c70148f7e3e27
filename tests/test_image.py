import io
import os
import pickle
import struct
import time
import zlib
from concurrent.futures import ThreadPoolExecutor

import cv2
import numpy as np
import pytest
from conftest import draw_text, likeness
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from PIL import Image

import ocr
from ocr.image import MAX_PIXELS, ImageError, describe, read
from ocr.preparation.border import outside_of_cut, without_frame
from ocr.preparation.polarity import is_light_on_dark
from ocr.preparation.prepare import Preparation, load, widening
from ocr.preparation.prepare import prepare as prepare_with

SETTINGS = Preparation()
CLEAN = draw_text("Grey quick fox, 1892")
HEIGHT = SETTINGS.height


def prepare(grey, settings=SETTINGS):
    return prepare_with(grey, settings)


PREPARED = prepare(CLEAN).pixels


def transparent(ink):
    """The line's ink alone, of one colour, on transparent ground."""
    cover = 255 - cv2.normalize(CLEAN, None, 0, 255, cv2.NORM_MINMAX)
    rgba = np.full((*CLEAN.shape, 4), ink, np.uint8)
    rgba[:, :, 3] = cover
    return rgba


def polygon():
    """The line on its own paper, cut out of a page with slanting transparent ends."""
    rgba = np.dstack([CLEAN] * 3 + [np.full_like(CLEAN, 255)])
    height = len(CLEAN)
    for y in range(height):
        rgba[y, : y // 6] = 0
        rgba[y, CLEAN.shape[1] - (height - y) // 6 :] = 0
    return rgba


def saved(image, form, **options):
    if isinstance(image, np.ndarray):
        image = Image.fromarray(image)
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def encoded(array, suffix):
    return cv2.imencode(suffix, array)[1].tobytes()


GREY = Image.fromarray(CLEAN)
COLOUR = Image.merge("RGB", [GREY.point(lambda v, k=k: min(255, v + k)) for k in (0, 10, 20)])
DEEP = CLEAN.astype(np.uint16) * 257
PALETTE = GREY.convert("P", palette=Image.Palette.ADAPTIVE, colors=32)

FILES = {
    "png grey": lambda: saved(GREY, "PNG"),
    "png colour": lambda: saved(COLOUR, "PNG"),
    "png 1 bit": lambda: saved(GREY.point(lambda v: 255 * (v > 128)).convert("1"), "PNG"),
    "png 16 bit": lambda: saved(DEEP, "PNG"),
    "png 12 of 16 bits": lambda: saved(DEEP >> 4, "PNG"),
    "png 16 bit colour": lambda: encoded(np.dstack([DEEP] * 3), ".png"),
    "png palette": lambda: saved(PALETTE, "PNG"),
    "png grey and alpha": lambda: saved(GREY.convert("LA"), "PNG"),
    "png dark ink on transparent": lambda: saved(transparent(0), "PNG"),
    "png white ink on transparent": lambda: saved(transparent(255), "PNG"),
    "png cut out of a page": lambda: saved(polygon(), "PNG"),
    "png palette with transparency": lambda: saved(
        Image.fromarray(transparent(0)).quantize(16, Image.Quantize.FASTOCTREE), "PNG"
    ),
    "jpeg grey": lambda: saved(GREY, "JPEG", quality=90),
    "jpeg colour": lambda: saved(COLOUR, "JPEG", quality=90),
    "jpeg rgb without ycc": lambda: saved(COLOUR, "JPEG", quality=90, keep_rgb=True),
    "jpeg cmyk": lambda: saved(COLOUR.convert("CMYK"), "JPEG", quality=90),
    "jpeg progressive": lambda: saved(COLOUR, "JPEG", quality=90, progressive=True),
    "webp": lambda: saved(COLOUR, "WEBP", quality=90),
    "webp lossless alpha": lambda: saved(transparent(0), "WEBP", lossless=True),
    "tiff lzw": lambda: saved(GREY, "TIFF", compression="tiff_lzw"),
    "tiff group 4": lambda: saved(
        GREY.point(lambda v: 255 * (v > 128)).convert("1"), "TIFF", compression="group4"
    ),
    "tiff 16 bit": lambda: saved(DEEP, "TIFF"),
    "tiff float": lambda: saved(Image.fromarray(CLEAN.astype(np.float32) / 255), "TIFF"),
    "tiff cmyk": lambda: saved(COLOUR.convert("CMYK"), "TIFF"),
    "tiff lab": lambda: saved(
        Image.merge("LAB", [GREY, Image.new("L", GREY.size), Image.new("L", GREY.size)]), "TIFF"
    ),
    "bmp": lambda: saved(COLOUR, "BMP"),
    "bmp by opencv": lambda: encoded(CLEAN, ".bmp"),
    "gif": lambda: saved(PALETTE, "GIF"),
}


@pytest.mark.parametrize("kind", FILES)
def test_one_line_in_every_kind_of_file(kind, tmp_path):
    path = tmp_path / kind
    path.write_bytes(FILES[kind]())
    prepared = load(path, SETTINGS).pixels
    assert likeness(PREPARED, prepared) > 0.95
    assert np.array_equal(prepared, load(path.read_bytes(), SETTINGS).pixels)
    assert np.array_equal(prepared, load(str(path), SETTINGS).pixels)
    with Image.open(path) as image:
        mode = image.mode
        assert likeness(prepared, load(image, SETTINGS).pixels) > 0.99
        assert image.mode == mode


@pytest.mark.parametrize("mode", ["La", "RGBa"])
def test_colours_multiplied_by_their_opacity(mode):
    """Modes of Pillow alone, which no file has."""
    image = Image.fromarray(transparent(0)).convert("LA" if mode == "La" else "RGBA").convert(mode)
    assert likeness(PREPARED, load(image, SETTINGS).pixels) > 0.95


ARRAYS = {
    "uint8": CLEAN,
    "one channel": CLEAN[:, :, None],
    "rgb": np.dstack([CLEAN] * 3),
    "bgr turned round": np.dstack([CLEAN] * 3)[:, :, ::-1],
    "mirrored twice": np.ascontiguousarray(CLEAN[::-1, ::-1])[::-1, ::-1],
    "every second column": np.repeat(CLEAN, 2, axis=1)[:, ::2],
    "rgba": transparent(0),
    "uint16": DEEP,
    "uint16 of big ends": DEEP.astype(">u2"),
    "uint16 rgb": np.dstack([DEEP] * 3),
    "uint16 rgb of 12 bits": np.dstack([DEEP >> 4] * 3),
    "uint16 rgba of 10 bits": np.dstack([DEEP >> 6] * 3 + [np.full_like(DEEP, 65535)]),
    "uint16 rgba all of 10 bits": np.dstack([DEEP >> 6] * 3 + [np.full_like(DEEP, 1023)]),
    "uint16 rgba of 8 bits": np.dstack([DEEP >> 8] * 3 + [np.full_like(DEEP, 255)]),
    "float32": CLEAN.astype(np.float32) / 255,
    "float64": CLEAN / 255,
    "bool": CLEAN > 128,
}


@pytest.mark.parametrize("kind", ARRAYS)
def test_one_line_in_every_kind_of_array(kind):
    before = ARRAYS[kind].copy()
    assert likeness(PREPARED, load(ARRAYS[kind], SETTINGS).pixels) > 0.95
    assert np.array_equal(before, ARRAYS[kind])


@pytest.mark.parametrize(
    "bad, reason",
    [
        (np.zeros((0, 5), np.uint8), "no pixels"),
        (np.zeros((5, 0), np.uint8), "no pixels"),
        (np.zeros((5, 0, 3), np.uint8), "no pixels"),
        (np.zeros(9, np.uint8), "shape"),
        (np.zeros((), np.uint8), "shape"),
        (np.zeros((2, 9, 9, 3), np.uint8), "shape"),
        (np.zeros((9, 9, 2), np.uint8), "shape"),
        (np.zeros((9, 9), np.int64), "int64"),
        (np.array([["a"]]), "is no image"),
        (np.full((9, 9), np.nan), r"\[0, 1\]"),
        (np.full((9, 9), 255.0), r"\[0, 1\]"),
        (np.broadcast_to(np.uint8(255), (60_000, 60_000)), "larger than"),
        (b"", "empty"),
        (b"plain text", "not an image"),
        (b"%PDF-1.7 and so on", "a PDF; make it PNG or JPEG"),
        (b"\0\0\0\x18ftypheic\0\0\0\0mif1", "HEIC; make it PNG"),
        (".", "ocr batch. reads folders"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not an image"),
        (None, "NoneType"),
        (7, "int"),
        ("no/such/file.png", "No such file"),
        ("nul\0byte.png", "null"),
    ],
)
def test_what_is_no_image_is_refused_with_the_reason(bad, reason):
    with pytest.raises(ImageError, match=reason) as caught:
        read(bad, "page 7")
    assert str(caught.value).startswith("page 7: ")


def test_errors_name_the_file(tmp_path):
    with pytest.raises(ImageError, match="a folder") as caught:
        read(tmp_path)
    assert str(caught.value).startswith(f"{tmp_path}: ")
    (tmp_path / "a.png").write_text("not a picture at all")
    with pytest.raises(ImageError) as caught:
        load(tmp_path / "a.png", SETTINGS)
    assert str(caught.value) == f"{tmp_path / 'a.png'}: not an image of a known format"
    assert describe(tmp_path / "a.png") == str(tmp_path / "a.png")
    (tmp_path / "a.png").touch()
    assert [describe(entry) for entry in os.scandir(tmp_path)] == [str(tmp_path / "a.png")]
    assert describe(CLEAN, 3) == "image 3"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names")
def test_a_pipe_is_read_and_one_without_end_is_not(tmp_path):
    data = io.BytesIO()
    Image.fromarray(CLEAN).save(data, "PNG")
    os.mkfifo(tmp_path / "line.png")
    with ThreadPoolExecutor() as pool:
        pool.submit((tmp_path / "line.png").write_bytes, data.getvalue())
        assert np.array_equal(read(tmp_path / "line.png"), CLEAN)
    with pytest.raises(ImageError, match="larger than 256 MB"):
        read("/dev/zero")


def test_errors_travel_between_processes():
    error = pickle.loads(pickle.dumps(ImageError("a.png", "is empty")))
    assert (type(error), error.name, error.reason) == (ImageError, "a.png", "is empty")
    assert str(error) == "a.png: is empty"


@pytest.mark.filterwarnings("ignore:Corrupt EXIF|Truncated")
@pytest.mark.parametrize("kind", ["png grey", "png palette", "jpeg colour", "webp", "tiff lzw"])
def test_truncated_files_raise_nothing_but_image_errors(kind):
    data = FILES[kind]()
    refused = 0
    ends = {*range(min(len(data), 300)), *range(300, len(data), 29)}
    for end in ends:
        try:
            read(data[:end], "cut")
        except ImageError as error:
            assert str(error).startswith("cut: ")
            refused += 1
    assert refused > 0.9 * len(ends)
    with pytest.raises(ImageError):
        read(data[: len(data) // 2])


@pytest.mark.filterwarnings("ignore")
@settings(max_examples=150)
@given(st.data())
def test_damaged_files_raise_nothing_but_image_errors(data):
    kind = data.draw(st.sampled_from(["png grey", "jpeg colour", "webp", "tiff lzw", "bmp", "gif"]))
    damaged = bytearray(FILES[kind]())
    places = st.integers(0, min(len(damaged), 400) - 1)
    for place, value in data.draw(st.lists(st.tuples(places, st.integers(0, 255)), min_size=1)):
        damaged[place] = value
    try:
        grey = read(bytes(damaged))
    except ImageError:
        return
    assert grey.dtype == np.uint8 and grey.ndim == 2


def png(width, height, data):
    """A 1-bit grey PNG of the claimed size with the given (compressed) data."""

    def chunk(kind, body):
        return (
            struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))
        )

    head = struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


def test_a_small_file_of_one_bit_is_read():
    rows = b"".join(b"\0" + bytes([255, 0b11100111]) for _ in range(9))
    grey = read(png(16, 9, zlib.compress(rows)))
    assert grey.shape == (9, 16) and (grey[:, 11:13] == 0).all() and (grey == 0).sum() == 18


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
@pytest.mark.parametrize(
    "width, height, honest",
    [(60_000, 60_000, False), (15_000, 15_000, True), (11_000, 11_000, True)],
)
def test_decompression_bombs_are_refused_before_they_are_decoded(width, height, honest):
    row = b"\0" + b"\xff" * (-(-width // 8))
    bomb = png(width, height, zlib.compress(row * (height if honest else 1), 1))
    assert len(bomb) < 250_000 and width * height > MAX_PIXELS
    Image.core.reset_stats()
    started = time.process_time()
    with pytest.raises(ImageError, match="larger than 120,000,000 pixels"):
        read(bomb)
    assert time.process_time() - started < 0.2
    # Pillow takes memory for pictures in blocks: no pixel was given any
    assert Image.core.get_stats()["allocated_blocks"] == 0


def test_pillow_images_without_pixels_or_too_large_are_refused():
    with pytest.raises(ImageError, match="no pixels"):
        read(Image.new("L", (0, 9)))
    with pytest.raises(ImageError, match="truncated"):
        read(Image.open(io.BytesIO(FILES["jpeg colour"]()[:900])))


@pytest.mark.parametrize("form", ["JPEG", "PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_rotation(form, orientation):
    turn = {  # how the camera stored what the number says
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_90,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_270,
    }
    stored = GREY.transpose(turn[orientation]) if orientation in turn else GREY
    exif = Image.Exif()
    exif[0x0112] = orientation
    grey = read(saved(stored, form, exif=exif))
    assert grey.shape == CLEAN.shape
    assert np.abs(grey.astype(int) - CLEAN).mean() < 3


@pytest.mark.parametrize("level", [0, 110, 255])
@pytest.mark.parametrize("wide", [(3, 3, 3, 3), (9, 0, 0, 0), (0, 0, 0, 25), (90, 60, 70, 80)])
def test_what_is_laid_around_a_line_does_not_count(level, wide):
    """Padding of any width, black edges of a scan: the line is prepared as it was without them."""
    grey = draw_text("Grey quick fox, 1892", 40, ink=60, paper=190)
    framed = cv2.copyMakeBorder(grey, *wide, cv2.BORDER_CONSTANT, value=level)
    alone, found = prepare(grey), prepare(framed)
    assert np.array_equal(found.pixels, alone.pixels) and found.scale == alone.scale
    assert found.left == alone.left + wide[2]


@pytest.mark.parametrize("size", [30, 60])
def test_wide_margins_change_little(size):
    """With much paper around it, a line is prepared as with little."""
    little = draw_text("Grey quick fox, 1892", size, margin=(size // 3, size // 3))
    much = draw_text("Grey quick fox, 1892", size, margin=(2 * size, 3 * size))
    assert likeness(prepare(little).pixels, prepare(much).pixels) > 0.98


def test_paper_is_no_frame():
    grey = draw_text("Grey quick fox, 1892", 40, margin=(30, 60))
    light = (grey * np.linspace(0.5, 1, len(grey))[:, None]).astype(np.uint8)
    tight = np.full((40, 300), 200, np.uint8)
    tight[:, :8] = tight[:, -8:] = tight[18:22] = 30  # H
    bold = np.full((40, 120), 255, np.uint8)
    bold[12:28, 10:110] = 60
    for x in range(15, 105, 7):
        bold[12 + 4 * (x % 2) : 28, x : x + 3] = 255  # little paper between bold letters
    for line in (grey, 255 - grey, light, tight, bold, np.full((40, 90), 200, np.uint8)):
        assert without_frame(line) is None


@pytest.mark.parametrize("side", ["half", "wedge"])
@pytest.mark.parametrize("level", [220, 250])
def test_another_sheet_in_a_corner_is_no_ink(level, side):
    """It is lighter than the paper by more than faint ink is darker."""
    grey = draw_text("Grey quick fox, 1892", 40, ink=120, paper=160)
    height, width = grey.shape
    grey = cv2.copyMakeBorder(grey, 12, 0, 0, 2 * width, cv2.BORDER_REPLICATE)
    corners = {"half": [[0, 0], [2 * width, 0], [2 * width, 10], [0, 10]],
               "wedge": [[0, 0], [3 * width, 0], [0, 14]]}[side]  # fmt: skip
    cv2.fillPoly(grey, [np.array(corners, np.int32)], level)
    assert not is_light_on_dark(grey)
    assert is_light_on_dark(255 - grey)


@pytest.mark.parametrize("side", ["top", "left", "round"])
@pytest.mark.parametrize("level", [0, 120, 240, 255])
def test_a_strip_along_an_edge_is_no_ink(level, side):
    """A scanner's lid, the next sheet, the table: lighter or darker than grey paper."""
    grey = draw_text("Grey quick fox, 1892", 40, ink=110, paper=185)
    wide = {"top": (5, 0, 0, 0), "left": (0, 0, 9, 0), "round": (5, 5, 5, 5)}[side]
    framed = cv2.copyMakeBorder(grey, *wide, cv2.BORDER_CONSTANT, value=level)
    assert not is_light_on_dark(framed)
    assert is_light_on_dark(255 - framed)


@pytest.mark.parametrize(
    "text", ["Grey quick fox, 1892", "iiiiiii", "W", "MMMM", "12.50 €", "- — -"]
)
@pytest.mark.parametrize("size", [18, 40, 120])
def test_white_on_black_equals_black_on_white(text, size):
    grey = draw_text(text, size)
    assert not is_light_on_dark(grey)
    assert is_light_on_dark(255 - grey)
    # not to the last bit: the light that is missing is measured against another paper
    assert likeness(prepare(grey).pixels, prepare(255 - grey).pixels) > 0.98


def test_uneven_light_is_evened_out():
    height, width = CLEAN.shape
    for light in (
        np.linspace(1.0, 0.35, width)[None, :],
        np.linspace(0.45, 1.0, height)[:, None],
        1 - 0.5 * np.exp(-((np.arange(width) - 200) ** 2) / 8000)[None, :],
    ):
        uneven = (CLEAN * light).astype(np.uint8)
        assert likeness(PREPARED, prepare(uneven).pixels) > 0.95


@pytest.mark.parametrize("paper", [255, 200, 120])
def test_faint_ink_is_stretched(paper):
    cover = 1 - (CLEAN.astype(np.float32) - 20) / 215
    faint = (paper - 15 * cover).round().astype(np.uint8)
    prepared = prepare(faint).pixels
    assert likeness(PREPARED, prepared) > 0.95
    assert np.percentile(prepared, 99) > 130 and np.median(prepared) == 0


def test_noise_of_empty_paper_is_not_stretched_to_ink():
    noise = np.random.default_rng(0).normal(235, 1.5, (60, 500)).round()
    assert prepare(noise.astype(np.uint8)).pixels.mean() < 10
    deep = load((noise * 257).astype(np.uint16), SETTINGS).pixels
    assert deep.mean() < 10


@pytest.mark.parametrize("margin", [(8, 60), (8, 400), (25, 12), (25, 300)])
def test_margins_are_trimmed(margin):
    wide = prepare(draw_text("Grey quick fox, 1892", 40, margin)).pixels
    assert abs(wide.shape[1] - PREPARED.shape[1]) < 12
    assert likeness(PREPARED, wide) > 0.95


def test_specks_in_the_margin_do_not_count_as_ink():
    wide = draw_text("Grey quick fox, 1892", 40, (8, 200))
    wide[5, 20] = wide[30, -9] = 0
    assert likeness(PREPARED, prepare(wide).pixels) > 0.95


@pytest.mark.parametrize("height", [30, 60, 150, 900])
def test_aspect_ratio_is_kept(height):
    grey = np.full((height, 6 * height), 240, np.uint8)
    for k in (1, 3, 5):
        cv2.circle(grey, (k * height, height // 2), height // 3, 20, -1, cv2.LINE_AA)
    ink = prepare(grey).pixels > 128
    tall = np.ptp(np.flatnonzero(ink.any(1))) + 1
    _, _, boxes, _ = cv2.connectedComponentsWithStats(ink.astype(np.uint8))
    assert len(boxes) == 4 and tall > 36
    assert np.abs(boxes[1:, cv2.CC_STAT_WIDTH] - tall).max() <= 1
    assert np.abs(np.diff(np.sort(boxes[1:, cv2.CC_STAT_LEFT])) - 3 * tall).max() <= 8


@pytest.mark.parametrize("height", [32, 64])
def test_height_is_a_setting(height):
    pixels = prepare(CLEAN, Preparation(height=height)).pixels
    assert pixels.shape[0] == height
    assert pixels.shape[1] / height == pytest.approx(PREPARED.shape[1] / HEIGHT, rel=0.02)


def strokes(width, height=48):
    """Upright strokes over the whole of an image: nothing to trim."""
    grey = np.full((height, width), 240, np.uint8)
    grey[:, 2::16] = grey[:, 3::16] = grey[:, 4::16] = 20
    return grey


def test_long_lines():
    assert prepare(strokes(9_900)).pixels.shape == (48, 9_900)
    assert prepare(strokes(19_800, 96)).pixels.shape == (48, 9_900)
    with pytest.raises(ImageError, match=r"^a.png: 10500 px wide at 48 px height, more than 10000"):
        prepare_with(strokes(10_500), SETTINGS, "a.png")
    with pytest.raises(ImageError, match="90000 x 48 is too wide"):
        prepare(strokes(90_000))


def test_long_margins_do_not_make_a_line_too_long():
    grey = np.full((48, 12_000), 240, np.uint8)
    grey[:, 3_000:4_000] = strokes(1_000)
    assert prepare(grey).pixels.shape[1] < 1_100


@pytest.mark.parametrize("value", [0, 1, 127, 254, 255])
@pytest.mark.parametrize(
    "shape", [(1, 1), (2, 300), (300, 1), (2, 2), (7, 3), (60, 800), (900, 20)]
)
def test_blank_images_come_out_blank(value, shape):
    prepared = prepare(np.full(shape, value, np.uint8))
    assert prepared.pixels.shape[0] == HEIGHT and prepared.pixels.shape[1] >= 4
    assert not prepared.pixels.any()


@given(arrays.arrays(np.uint8, arrays.array_shapes(min_dims=2, max_dims=2, max_side=40)))
def test_no_image_is_too_odd(grey):
    prepared = prepare(grey)
    assert prepared.pixels.shape[0] == HEIGHT and prepared.pixels.shape[1] >= 4
    assert prepared.pixels.dtype == np.uint8
    # what stands on its side runs from the bottom to the top
    size, sign = (grey.shape[0], -1) if prepared.turned else (grey.shape[1], 1)
    ends = prepared.left, prepared.left + prepared.pixels.shape[1] / prepared.scale
    first, last = ends[::sign]
    assert sign * prepared.scale > 0 and -1e-6 <= first < last <= size + 1e-6


def test_a_lone_dash_is_not_blown_up():
    dash = np.full((60, 120), 240, np.uint8)
    dash[30:34, 40:80] = 20
    ink = prepare(dash).pixels > 128
    rows = np.flatnonzero(ink.any(1))
    assert 4 <= rows[-1] - rows[0] + 1 <= HEIGHT // 3
    assert abs((rows[0] + rows[-1]) / 2 - HEIGHT / 2) < 4


@pytest.mark.parametrize("shape", [(60, 900), (200, 3_000), (1_000, 9_000), (30, 400)])
@pytest.mark.parametrize("margin", [0.0, 0.2])
def test_the_way_back_to_original_pixels(shape, margin):
    height, width = shape
    grey = np.full(shape, 240, np.uint8)
    thick = max(3, height // 15)
    edge = int(margin * width) + thick
    marks = np.linspace(edge, width - edge - thick, 9).astype(int)
    for x in marks:
        grey[height // 8 : -height // 8, x : x + thick] = 15
    prepared = prepare(grey)
    ink = prepared.pixels[HEIGHT // 2].astype(np.float64)
    count, parts = cv2.connectedComponents((ink > 40).astype(np.uint8)[None, :])
    assert count - 1 == len(marks)
    for k, x in enumerate(marks, start=1):
        own = np.flatnonzero(parts[0] == k)
        centre = np.average(own + 0.5, weights=ink[own])
        back = centre / prepared.scale + prepared.left
        assert abs(back - (x + thick / 2)) < 2


def test_a_drawn_line_is_worth_its_tests(line):
    """The measure of likeness tells lines from each other."""
    other = prepare(draw_text("Grey quick fix, 1893")).pixels
    assert likeness(PREPARED, prepare(line).pixels) == pytest.approx(1)
    assert likeness(PREPARED, other) < 0.9
    assert likeness(PREPARED, 255 - PREPARED) < 0


def cut_out(outside, paper=255, drift=0):
    """The line on paper of `paper`, cut along a wavy polygon; `outside` beyond it."""
    page = (CLEAN.astype(np.float32) * paper / 255 + np.linspace(0, drift, CLEAN.shape[1])).clip(0)
    height, width = page.shape
    x = np.arange(width)
    top, bottom = 3 + 2 * np.sin(x / 23), height - 4 + 2 * np.sin(x / 17)
    rows = np.arange(height)[:, None]
    inside = (rows > top) & (rows < bottom) & (x > 3) & (x < width - 4)
    return np.where(inside, page, outside).astype(np.uint8), ~inside


@pytest.mark.parametrize("outside", [255, 0])
@pytest.mark.parametrize("paper", [110, 170, 215])
@pytest.mark.parametrize("drift", [0, 20])
def test_the_rim_of_a_line_cut_out_of_its_page_is_no_ink(outside, paper, drift):
    cut, rim = cut_out(outside, paper, drift)
    found = outside_of_cut(cut)
    assert found is not None and found[rim].all() and found[~rim].mean() < 0.15
    assert likeness(prepare(cut).pixels, PREPARED) > 0.9


@settings(max_examples=30)
@given(st.sampled_from([255, 0]), st.integers(60, 99))
def test_a_cut_is_found_after_jpeg(outside, quality):
    cut, rim = cut_out(outside, 170)
    cut = cv2.imdecode(cv2.imencode(".jpg", cut, [cv2.IMWRITE_JPEG_QUALITY, quality])[1], 0)
    found = outside_of_cut(cut)
    assert found is not None and found[~rim].mean() < 0.15


@pytest.mark.parametrize(
    "text", ["Grey quick fox, 1892", "OOOO ODO", "—", ".", "MWMW", "i", "mmmmmmmm", "888"]
)
@pytest.mark.parametrize("invert", [False, True])
def test_clean_paper_is_not_taken_for_a_rim(text, invert):
    line = draw_text(text)
    assert outside_of_cut(255 - line if invert else line) is None


@pytest.mark.parametrize("ruled", [False, True])
def test_white_paper_with_a_shadow_on_it_is_no_rim(ruled):
    line = draw_text("Grey quick fox, 1892", ink=0, paper=255)
    if ruled:
        line[38:40] = 0  # joins the letters to the shadow
    shaded = line.copy()
    shaded[:, 150:330] = shaded[:, 150:330] // 2
    assert outside_of_cut(shaded) is None


def test_paper_that_reaches_the_edges_has_no_rim():
    assert outside_of_cut((CLEAN * 0.7).astype(np.uint8)) is None
    assert outside_of_cut(np.full((5, 300), 255, np.uint8)) is None


@pytest.mark.parametrize("side", ["left", "right", "top", "bottom"])
@pytest.mark.parametrize("ink", [20, 170])
def test_a_dark_bar_at_an_edge_leaves_faint_writing_its_contrast(side, ink):
    line = draw_text("Grey quick fox, 1892", ink=ink)
    barred = line.copy()
    edge = {
        "left": np.s_[:, :6], "right": np.s_[:, -6:], "top": np.s_[:4], "bottom": np.s_[-4:],
    }[side]  # fmt: skip
    barred[edge] = 5
    if ink == 170:
        assert likeness(prepare(barred).pixels, prepare(line).pixels) > 0.9
    else:  # as dark as the writing: it does no harm
        assert prepare(barred).pixels.std() > 0.6 * prepare(line).pixels.std()


@pytest.mark.parametrize("text", ["I", "l", "|", "ITEM", "HI", "1", "—", "lll"])
def test_letters_that_fill_a_tight_crop_stay(text):
    line = draw_text(text, margin=(0, 0))
    assert (prepare(line).pixels > 128).mean() > 0.1


@pytest.mark.parametrize("sheet", [(200, 900), (720, 1280)])
def test_a_line_on_a_large_sheet_is_prepared_as_if_cut_out(sheet):
    line = draw_text("Grey quick fox, 1892")
    page = np.full(sheet, 235, np.uint8)
    page[60 : 60 + line.shape[0], 100 : 100 + line.shape[1]] = line
    whole = prepare(page, Preparation()).pixels
    assert likeness(prepare(line, Preparation()).pixels, whole) > 0.9


def test_a_line_on_a_photograph_of_a_sheet_is_found():
    """A phone's picture: light from one side, grain, a line of which 1 in 40 rows is writing."""
    line = draw_text("Grey quick fox, 1892", 60, ink=70, paper=200)
    page = np.full((2000, 3000), 200, np.float32)
    page[960 : 960 + line.shape[0], 700 : 700 + line.shape[1]] = line
    page *= np.linspace(0.65, 1.15, 3000, dtype=np.float32)
    page += np.random.default_rng(0).normal(0, 4, page.shape)
    page = np.clip(page, 0, 255).astype(np.uint8)
    for picture in (page, 255 - page):
        found = prepare(picture)
        assert likeness(prepare(line).pixels, found.pixels) > 0.85
        assert 600 < found.left < 720


def test_lone_marks_on_a_large_sheet_stay_small():
    for text in ("-", ".", "_"):
        page = np.full((200, 600), 235, np.uint8)
        mark = draw_text(text)
        page[60 : 60 + mark.shape[0], 100 : 100 + mark.shape[1]] = mark
        prepared = prepare(page, Preparation()).pixels
        rows = np.flatnonzero((prepared > 100).any(1))
        assert len(rows) < 0.4 * len(prepared), text


@pytest.mark.parametrize("soft", [1.2, 2.0])
def test_the_edge_of_a_cut_out_is_no_stroke(soft):
    """Dark, cloudy paper on white: the soft edge is lighter than the paper, the ink darker."""
    line = draw_text("befindet sich auf der Tafel", ink=90, paper=130).astype(np.float32)
    height, width = line.shape
    line += 25 * np.sin(np.arange(width) / 60)
    page = np.full((height + 40, width + 40), 255, np.float32)
    page[20:-20, 20:-20] = line
    page = cv2.GaussianBlur(page, (0, 0), soft).round().astype(np.uint8)
    outside = outside_of_cut(page)
    assert outside is not None
    assert not is_light_on_dark(page, outside)
    negative = np.where(outside, 255, 255 - page).astype(np.uint8)
    assert is_light_on_dark(negative, outside)


def comb(spacing, count=40, height=48):
    """Upright strokes, three pixels broad, `spacing` pixels from one to the next."""
    pixels = np.zeros((height, spacing * count), np.uint8)
    for k in range(count):
        pixels[8:40, k * spacing + 1 : k * spacing + 4] = 255
    return pixels


@pytest.mark.parametrize(
    ("spacing", "expected"), [(6, 1.3), (10, 12 / 10), (11, 12 / 11), (12, 1.0), (30, 1.0)]
)
def test_narrow_strokes_are_widened(spacing, expected):
    wanted = Preparation(closest=12 / 48)
    assert widening(comb(spacing), wanted) == pytest.approx(expected, rel=1e-3)


def test_nothing_is_widened_without_strokes_or_by_default():
    wanted = Preparation(closest=0.25)
    assert widening(np.zeros((48, 300), np.uint8), wanted) == 1.0
    assert widening(np.full((48, 300), 255, np.uint8), wanted) == 1.0
    assert widening(comb(6), SETTINGS) == 1.0


def test_a_widened_line_knows_its_way_back():
    grey = draw_text("illiminimum", size=20)
    plain = prepare_with(grey, SETTINGS)
    wide = prepare_with(grey, Preparation(closest=1.0, widest=1.5))
    width = plain.pixels.shape[1]
    assert wide.pixels.shape == (48, round(1.5 * width))
    assert wide.left == plain.left
    assert wide.scale == pytest.approx(1.5 * plain.scale, rel=0.01)
    # ink begins at the same place of the image
    first = [np.flatnonzero((p.pixels > 128).any(0))[0] / p.scale + p.left for p in (plain, wide)]
    assert first[0] == pytest.approx(first[1], abs=1.0)


def test_widening_keeps_to_the_greatest_width():
    grey = draw_text("illiminimum" * 6, size=20)
    width = prepare_with(grey, SETTINGS).pixels.shape[1]
    wanted = Preparation(closest=1.0, max_width=width + 10)
    assert prepare_with(grey, wanted).pixels.shape[1] == width + 10


def test_a_line_of_few_pixels_is_enlarged_so_many_times_and_no_more():
    small = cv2.resize(CLEAN, None, fx=0.4, fy=0.4, interpolation=cv2.INTER_AREA)
    free = prepare(small, Preparation(height=64))
    held = prepare(small, Preparation(height=64, largest=2.0))
    assert free.scale > 2.5 and held.scale == pytest.approx(2.0, rel=0.03)
    assert held.pixels.shape[0] == 64
    rows = np.flatnonzero((held.pixels > 128).any(1))
    assert rows[0] == pytest.approx(63 - rows[-1], abs=6)  # paper above and below
    # positions stay true
    for prepared in (free, held):
        columns = np.flatnonzero((prepared.pixels > 128).any(0))
        first, last = columns[[0, -1]] / prepared.scale + prepared.left
        ink = np.flatnonzero((small < 128).any(0))
        assert first == pytest.approx(ink[0], abs=2) and last == pytest.approx(ink[-1], abs=2)
    # lines of many pixels are as they were
    large = prepare(CLEAN, Preparation(height=48))
    assert (prepare(CLEAN, Preparation(height=48, largest=2.0)).pixels == large.pixels).all()


def test_what_is_far_too_high_is_refused_at_once():
    with pytest.raises(ImageError, match=r"line\.png: 2 x 90000 is too high for a text line"):
        prepare_with(np.full((90_000, 2), 200, np.uint8), SETTINGS, "line.png")
    # as high as what is read from its side
    prepare_with(np.full((8 * SETTINGS.max_width, 2), 200, np.uint8), SETTINGS)


@pytest.mark.parametrize("shape", [(1_000_001, 1), (1, 1_000_001)])
def test_what_is_far_too_long_is_not_decoded(shape):
    """A row takes Pillow a score of bytes, though it is of one pixel."""
    thin = np.zeros(shape, np.uint8)
    for source in (thin, saved(thin, "PNG")):
        with pytest.raises(ImageError, match=r"longer than 1,000,000 pixels"):
            read(source)


def test_too_little_memory_is_an_error_of_the_image(monkeypatch):
    def demand(*given):
        raise MemoryError

    monkeypatch.setattr("ocr.preparation.prepare.evenly_lit", demand)
    with pytest.raises(ImageError, match=r"line\.png: .* more memory than there is"):
        prepare_with(CLEAN, SETTINGS, "line.png")


def test_junk_in_exif_turns_nothing():
    data = io.BytesIO(saved(GREY, "PNG", exif=b"Exif\0\0junk"))
    assert (read(data) == CLEAN).all()


def test_arrays_of_other_classes_are_read_as_plain_ones():
    for array in (CLEAN.view(np.matrix), np.ma.masked_array(CLEAN, CLEAN > 100)):
        assert type(read(array)) is np.ndarray and (read(array) == CLEAN).all()


def test_an_open_file_that_fails_is_an_error_of_the_image():
    class Broken:
        def read(self, size):
            raise RuntimeError("the line is cut")

    with pytest.raises(ImageError, match="cannot be read: the line is cut"):
        read(Broken())


def test_its_errors_are_there_to_be_caught():
    assert issubclass(ocr.ImageError, ocr.OcrError) and ocr.ImageError is ImageError
    assert {"ImageError", "OcrError"} < set(ocr.__all__)
