"""The demo in a real browser: its server is a process of its own, Chromium is driven by Playwright.

Skipped, and said so, where there is no Chromium (Debian: the packages `chromium`); set CHROMIUM to
its path if it is elsewhere.
"""

import csv
import os
import shutil
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from PIL import Image

from ocr.demo.launch import DemoError, launch

CHROMIUM = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="no Chromium on this machine")
REPOSITORY = Path(__file__).parent.parent
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    # a camera that shows a file, and nobody to ask whether it may
    "--use-fake-ui-for-media-stream",
    "--use-fake-device-for-media-stream",
]


def film(image, path):
    """A line on a sheet of its paper, as the uncompressed film that Chromium's camera of files
    plays."""
    import cv2
    import numpy as np

    frame = np.full((720, 1280), np.median(image), np.uint8)
    width = 1000
    height = round(image.shape[0] * width / image.shape[1])
    frame[300 : 300 + height, 100 : 100 + width] = cv2.resize(
        image, (width, height), interpolation=cv2.INTER_AREA
    )
    grey = np.full((360, 640), 128, np.uint8).tobytes()
    one = b"FRAME\n" + frame.tobytes() + 2 * grey
    path.write_bytes(b"YUV4MPEG2 W1280 H720 F10:1 Ip A1:1 C420jpeg\n" + 10 * one)
    return path


@pytest.fixture(scope="module")
def kept(tmp_path_factory):
    return tmp_path_factory.mktemp("kept") / "lines"


@pytest.fixture(scope="module")
def address(kept):
    server = subprocess.Popen(
        [sys.executable, "app.py", "--collect", str(kept)],
        cwd=REPOSITORY,
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "GRADIO_TEMP_DIR": str(kept.parent / "uploads")},
    )
    said = server.stdout.readline()
    assert "http://" in said
    yield said.split()[-1]
    server.terminate()
    server.wait(20)


@pytest.fixture(scope="module")
def browser(tmp_path_factory, samples):
    import cv2
    from playwright.sync_api import sync_playwright

    shown = cv2.imread(str(samples / "print.png"), cv2.IMREAD_GRAYSCALE)
    camera = film(shown, tmp_path_factory.mktemp("camera") / "line.y4m")
    flags = [*FLAGS, f"--use-file-for-fake-video-capture={camera}"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=flags)
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def context(browser):
    """One for all pages: scripts are fetched and compiled once."""
    context = browser.new_context()
    context.set_default_timeout(120_000)  # a busy machine is slow, not wrong
    yield context
    context.close()


@pytest.fixture(params=[(1280, 900)])
def page(context, address, request):
    page = context.new_page()
    width, height = request.param
    page.set_viewport_size({"width": width, "height": height})
    asked = []
    page.on("request", lambda r: asked.append(r.url))
    page.goto(address)
    page.wait_for_selector("#samples img")
    yield page
    own = (address, "data:", "blob:")
    assert [url for url in asked if not url.startswith(own)] == []
    page.close()


def upload(page, path):
    page.locator("#picture input[type=file]").first.set_input_files(str(path))


def read_text(page):
    return page.locator("#reading .reading").get_attribute("aria-label")


def wait_for_reading(page):
    page.wait_for_selector("#reading .sure")


def test_upload_and_read(page, samples):
    upload(page, samples / "print.png")
    wait_for_reading(page)
    assert "bright cold morning" in read_text(page)
    assert page.locator("#text textarea, #text input").first.input_value() == read_text(page)
    assert page.locator("#nbest tbody tr, #nbest table tr").count() >= 3


def test_the_browser_refuses_other_hosts(page):
    refused = page.evaluate("fetch('http://example.com/').then(() => false, () => true)")
    assert refused
    # the request never left: the policy stopped it
    policy = page.evaluate(
        "fetch(location.href).then(r => r.headers.get('content-security-policy'))"
    )
    assert "connect-src 'self'" in policy


def test_sample_and_slider(page):
    page.locator("#samples button img").nth(5).click()
    wait_for_reading(page)
    before = read_text(page)
    number = page.locator("#length_bonus input[type=number]")
    number.fill("-2")
    number.press("Enter")
    weight = page.locator("#lm_weight input[type=number]")
    weight.fill("2")
    weight.press("Enter")
    page.wait_for_function(
        "before => { const e = document.querySelector('#reading .reading');"
        " return e && e.getAttribute('aria-label') !== before; }",
        arg=before,
    )
    short = read_text(page)
    assert len(short) < len(before)
    number.fill("")  # then as tuned
    number.press("Enter")
    page.wait_for_function(
        "short => document.querySelector('#reading .reading').ariaLabel.length > short.length",
        arg=short,
    )
    assert not page.locator(".toast-body").count()


def test_draw_and_read(page):
    page.get_by_role("tab", name="Draw").click()
    box = page.locator("#drawing canvas").bounding_box()

    def stroke(*points):
        x, y = points[0]
        page.mouse.move(box["x"] + x, box["y"] + y)
        page.mouse.down()
        for x, y in points[1:]:
            page.mouse.move(box["x"] + x, box["y"] + y, steps=5)
        page.mouse.up()

    stroke((40, 30), (40, 130))
    stroke((90, 30), (90, 130))
    stroke((40, 80), (90, 80))
    wait_for_reading(page)
    assert read_text(page).upper().startswith("H")
    page.get_by_role("button", name="Clear").click()
    page.wait_for_function("!document.querySelector('#reading .sure')")


def test_an_empty_strip_takes_nothing_from_a_picture(page, samples):
    upload(page, samples / "print.png")
    wait_for_reading(page)
    page.get_by_role("tab", name="Draw").click()
    for name in ("Clear", "Undo"):
        page.get_by_role("button", name=name).click()
    page.wait_for_timeout(1500)  # a pause in writing is 0.7 seconds
    assert "bells" in read_text(page)


def test_strokes_stay_on_the_strip_when_a_phone_is_turned(page):
    page.get_by_role("tab", name="Draw").click()
    box = page.locator("#drawing canvas").bounding_box()
    far = box["x"] + box["width"] - 12
    page.mouse.move(far, box["y"] + 20)
    page.mouse.down()
    page.mouse.move(far, box["y"] + 100, steps=5)
    page.mouse.up()
    inked = """() => {
      const canvas = document.querySelector('#drawing canvas');
      const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
      return data.some((value, i) => i % 4 == 0 && value < 128);
    }"""
    assert page.evaluate(inked)
    page.set_viewport_size({"width": 390, "height": 844})
    page.wait_for_function(
        f"document.querySelector('#drawing canvas').clientWidth < {box['width'] - 50}"
    )
    page.wait_for_timeout(200)
    assert page.evaluate(inked)


def test_camera(page):
    page.get_by_role("button", name="Capture from camera").click()
    page.locator("#picture").get_by_role("button", name="Click to Access Webcam").click()
    page.wait_for_function("document.querySelector('#picture video')?.currentTime > 0.5")
    page.locator("#picture").get_by_role("button", name="capture photo").click()
    wait_for_reading(page)
    assert "cold morning" in read_text(page)


def test_paste(page, samples):
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    data = list((samples / "typewriter.png").read_bytes())
    page.evaluate(
        "data => navigator.clipboard.write([new ClipboardItem({'image/png':"
        " new Blob([new Uint8Array(data)], {type: 'image/png'})})])",
        data,
    )
    page.get_by_role("button", name="Paste from clipboard").click()
    wait_for_reading(page)
    assert len(read_text(page)) > 20


def test_decoder_and_weights(page, samples):
    upload(page, samples / "recipe.png")
    wait_for_reading(page)
    beam = read_text(page)
    page.get_by_role("button", name="Settings").click()
    page.locator("#decoder input").click()
    page.get_by_role("option", name="greedy").click()
    page.wait_for_function(
        "beam => document.querySelector('#text textarea, #text input').value !== beam"
        " || document.querySelector('#reading .reading').ariaLabel === beam",
        arg=beam,
    )
    assert page.locator("#compared").inner_text().strip()
    assert page.locator("#weights input").input_value() == "latin-small"


def test_correct_and_collect(page, samples, kept):
    upload(page, samples / "recipe.png")
    wait_for_reading(page)
    right = page.locator("#right textarea, #right input").first
    page.wait_for_function("document.querySelector('#right textarea, #right input').value")
    right.fill("250 g de harina, 3 huevos y una pizca de sal")
    page.locator("#keep").click()
    page.wait_for_function("document.querySelector('#kept').innerText.includes('Kept')")
    with (kept / "labels.tsv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert rows[-1]["text"] == "250 g de harina, 3 huevos y una pizca de sal"
    assert (kept / rows[-1]["path"]).is_file()
    assert "ocr finetune" in page.locator(".cm-content").first.inner_text()


def test_a_correction_goes_with_its_picture(page, samples, tmp_path):
    """Also where the next picture is read the same."""
    from PIL import Image, ImageOps

    with Image.open(samples / "print.png") as image:
        ImageOps.invert(image.convert("L")).save(tmp_path / "white.png")
    upload(page, samples / "print.png")
    wait_for_reading(page)
    page.wait_for_function("document.querySelector('#right textarea, #right input').value")
    page.locator("#right textarea, #right input").first.fill("Another text")
    page.locator("#keep").click()
    page.wait_for_function("document.querySelector('#kept').innerText.includes('Kept')")
    upload(page, tmp_path / "white.png")
    page.wait_for_function("!document.querySelector('#kept').innerText.includes('Kept')")
    right = page.locator("#right textarea, #right input").first
    assert right.input_value() == read_text(page)


def test_bad_uploads_say_what_is_wrong(page, samples, tmp_path):
    whole = (samples / "print.png").read_bytes()
    for name, content, message in [
        ("broken.png", b"no image at all", "not an image"),
        ("cut.png", whole[:2000], "truncated"),
        ("empty.png", b"", "empty"),
    ]:
        path = tmp_path / name
        path.write_bytes(content)
        upload(page, samples / "typewriter.png")
        page.wait_for_selector("#reading .reading[aria-label^='Dear Sir']")
        upload(page, path)
        page.wait_for_selector(f"#reading [role=alert]:has-text('{message}')")
        # nothing is left of the picture before
        assert not page.locator("#reading .reading").count()
        assert not page.locator("#text textarea, #text input").first.input_value()
    # and the page goes on
    upload(page, samples / "print.png")
    wait_for_reading(page)
    # one that is too large is refused before it is there
    path = tmp_path / "large.png"
    path.write_bytes(b"\x89PNG" + bytes(21 * 2**20))
    upload(page, path)
    page.wait_for_selector(".toast-body")
    assert "size" in page.locator(".toast-body").first.inner_text().lower()


def test_a_page_gets_advice(page, samples, tmp_path):
    import numpy as np
    from PIL import Image

    one = np.asarray(Image.open(samples / "print.png").convert("L"))
    Image.fromarray(np.vstack([one] * 4)).save(tmp_path / "page.png")
    upload(page, tmp_path / "page.png")
    page.wait_for_selector("#reading .advice")


def test_a_picture_upside_down_is_read_and_said_to_be(page, samples, tmp_path):
    from PIL import Image

    with Image.open(samples / "print.png") as image:
        image.transpose(Image.Transpose.ROTATE_180).save(tmp_path / "head.png")
    upload(page, tmp_path / "head.png")
    page.wait_for_selector("#reading .advice:has-text('upside down')")
    page.wait_for_selector("#reading .reading[aria-label^='It was a bright cold morning']")


def test_microscope_and_own_text(page, samples, tmp_path):
    import numpy as np
    from PIL import Image

    upload(page, samples / "print.png")
    wait_for_reading(page)
    page.get_by_role("tab", name="CTC microscope").click()
    page.wait_for_selector("svg.microscope .cell")
    page.locator("#asked textarea, #asked input").first.fill("It was a bright gold morning")
    page.locator("#align").click()
    page.wait_for_selector("#accounts :text('your text')")
    # a character that the alphabet lacks is a message, not a dead page
    page.locator("#asked textarea, #asked input").first.fill("漢字")
    page.locator("#align").click()
    page.wait_for_selector("#accounts [role=alert]")
    # another picture that reads the same is another picture: here one pixel of ink is paler
    page.get_by_role("tab", name="Read").click()
    upload(page, samples / "typewriter.png")
    page.wait_for_selector("#reading .reading[aria-label^='Dear Sir']")
    page.get_by_role("tab", name="CTC microscope").click()
    page.wait_for_selector("#accounts td:text('Dear Sir')")
    drawn = page.locator("svg.microscope image").get_attribute("href")
    grey = np.array(Image.open(samples / "typewriter.png").convert("L"))
    grey.flat[grey.argmin()] += 12
    Image.fromarray(grey).save(tmp_path / "paler.png")
    page.get_by_role("tab", name="Read").click()
    upload(page, tmp_path / "paler.png")
    page.get_by_role("tab", name="CTC microscope").click()
    page.wait_for_function(
        "drawn => document.querySelector('svg.microscope image').getAttribute('href') !== drawn",
        arg=drawn,
    )


def test_several_files(page, samples, tmp_path):
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"nothing")
    with Image.open(samples / "print.png") as picture:
        stack = tmp_path / "stack.tif"
        picture.save(stack, save_all=True, append_images=[picture])
    names = [samples / "print.png", broken, stack]
    page.get_by_role("tab", name="Several files").click()
    page.locator("#files input[type=file]").set_input_files([str(n) for n in names])
    page.wait_for_selector("#files :text('broken')")
    page.locator("#read_all").click()
    page.wait_for_selector("#progress :text('3 of 3')")
    page.wait_for_selector("#download a, #download:not([disabled])")
    with page.expect_download() as found:
        page.locator("#download").click()
    text = Path(found.value.path()).read_text(encoding="utf-8")
    rows = list(csv.DictReader(text.splitlines()))
    assert [row["file"] for row in rows] == ["print.png", "broken.png", "stack.tif"]
    assert "bells" in rows[0]["text"] and rows[2]["text"] == rows[0]["text"]
    assert "not an image" in rows[1]["error"]
    assert [row["remark"][:20] for row in rows] == ["", "", "the first of 2 pages"]
    assert not rows[2]["error"]
    # what another run reads is not handed out before it is there
    page.locator("#read_all").click()
    page.wait_for_selector("#download[disabled], #download :disabled")
    page.wait_for_selector("#download a, #download:not([disabled])")


@pytest.mark.parametrize("page", [(390, 844)], indirect=True)
def test_on_a_phone(page, samples):
    upload(page, samples / "print.png")
    wait_for_reading(page)
    assert page.evaluate("document.documentElement.scrollWidth") <= 400
    box = page.locator("#reading").bounding_box()
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 400
    page.get_by_role("tab", name="CTC microscope").click()
    page.wait_for_selector("svg.microscope .cell")
    assert page.locator("#microscope").bounding_box()["width"] <= 400
    assert page.evaluate("document.documentElement.scrollWidth") <= 400


def test_api(address, samples):
    from gradio_client import Client, handle_file

    client = Client(address, verbose=False)
    read = client.predict(handle_file(samples / "print.png"), api_name="/read")
    assert "bells" in read["text"]
    assert len(read["characters"]) == len(read["text"])
    greedy = client.predict(handle_file(samples / "print.png"), decoder="greedy", api_name="/read")
    assert not greedy["alternatives"] and greedy["remarks"] == []
    nbest = client.predict(handle_file(samples / "print.png"), nbest=3, api_name="/read")
    assert len(nbest["alternatives"]) == 3
    aligned = client.predict(
        handle_file(samples / "print.png"), text="It was a bright", api_name="/align"
    )
    assert aligned["log_probability"] < -10
    with pytest.raises(Exception, match="no language model called 'x'"):
        client.predict(handle_file(samples / "print.png"), lm="x", api_name="/read")
    assert set(client.view_api(return_format="dict")["named_endpoints"]) == {"/read", "/align"}


def asked(address, name, *data):
    """The answer to a program that asks without gradio's client, and so may send what it likes."""
    url = f"{address}gradio_api/call/{name}"
    begun = httpx.post(url, json={"data": data}, timeout=120)
    if begun.status_code != 200:
        return begun.text
    return httpx.get(f"{url}/{begun.json()['event_id']}", timeout=120).text


def test_numbers_that_are_none_are_those_by_default(address, samples):
    data = (samples / "print.png").read_bytes()
    sent = httpx.post(f"{address}gradio_api/upload", files={"files": ("a.png", data)}, timeout=60)
    picture = {"path": sent.json()[0], "meta": {"_type": "gradio.FileData"}}
    answer = asked(address, "read", picture, "beam", "auto", None, None)
    assert "bells" in answer and "event: error" not in answer
    assert "int()" not in answer
    assert "normalize()" not in asked(address, "align", picture, None)


def test_only_uploads_are_read(address, samples):
    """No address is fetched, and no other file of this machine is opened."""
    marked = {"meta": {"_type": "gradio.FileData"}}
    for more in ({}, marked):
        web = {"path": "http://example.com/y.png", **more}
        assert "no address is fetched" in asked(address, "read", web, "greedy", "auto", 8, 0)
        assert "no address is fetched" in asked(address, "align", web, "a text")
        own = {"path": str(samples / "print.png"), **more}
        answer = asked(address, "read", own, "greedy", "auto", 8, 0)
        assert "upload" in answer and "bells" not in answer
    through = httpx.get(f"{address}gradio_api/file=http://example.com/y.png")
    assert "no address is fetched" in through.text


def test_a_missing_image_is_said(address):
    for nothing in (None, {"path": None}, {"path": None, "meta": {"_type": "gradio.FileData"}}):
        assert "image: none was given" in asked(address, "read", nothing, "greedy", "auto", 8, 0)
        assert "image: none was given" in asked(address, "align", nothing, "a text")


def test_a_taken_port_is_said(address):
    port = address.rstrip("/").rsplit(":", 1)[1]
    second = subprocess.run(
        [sys.executable, "app.py", "--port", port],
        cwd=REPOSITORY,
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert second.returncode == 2
    assert f"port {port}" in second.stderr


def test_a_name_that_cannot_be_a_host_is_said():
    with pytest.raises(DemoError, match=r"cannot listen on \.x: "):
        launch(host=".x")


def test_cancel_stops_in_between(page, samples, tmp_path):
    import shutil

    names = [tmp_path / f"{i:03}.png" for i in range(20)]
    for name in names:
        shutil.copy(samples / "note.png", name)
    page.get_by_role("tab", name="Several files").click()
    page.locator("#files input[type=file]").set_input_files([str(n) for n in names])
    page.wait_for_selector("#files :text('019')", state="attached")
    page.locator("#read_all").click()
    page.wait_for_selector("#progress progress")
    page.locator("#cancel").click()
    page.wait_for_selector("#progress :text('cancelled')")
    read = int(page.locator("#progress").inner_text().split()[0])
    assert 0 < read < 20
    with page.expect_download() as download:
        page.locator("#download").click()
    with Path(download.value.path()).open(encoding="utf-8", newline="") as file:
        assert len(list(csv.DictReader(file))) == read
    # and the next run is not stopped by the last one's wish
    page.locator("#read_all").click()
    page.wait_for_selector("#progress :text('20 of 20')")
