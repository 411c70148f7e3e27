"""What the command reads from, and writes to: pipes, terminals, names of any bytes."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from PIL import Image

ROOT = Path(__file__).parent.parent
SAMPLES = ROOT / "datasets" / "samples"
COMMAND = [sys.executable, "-m", "ocr.cli"]
ENVIRONMENT = {**os.environ, "COLUMNS": "200", "PYTHONPATH": str(ROOT)}

pytestmark = pytest.mark.skipif(os.name == "nt", reason="names and terminals of POSIX")


def test_an_image_comes_through_a_pipe():
    done = subprocess.run(
        [*COMMAND, "read", "/dev/stdin"],
        input=(SAMPLES / "print.png").read_bytes(),
        capture_output=True,
        env=ENVIRONMENT,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(b"/dev/stdin\t")


@pytest.mark.parametrize("command", [["read", "-f", "json"], ["align"]])
def test_json_is_unicode_whatever_a_file_is_called(command, tmp_path):
    odd = os.fsencode(tmp_path) + b"/\xff.png"
    try:
        shutil.copy(SAMPLES / "print.png", odd)
    except OSError:
        pytest.skip("names are Unicode here")
    text = [b"print"] if command == ["align"] else []
    done = subprocess.run(
        [*COMMAND, *command, odd, *text], capture_output=True, env=ENVIRONMENT, timeout=120
    )
    assert done.returncode == 0, done.stderr
    found = json.loads(done.stdout.decode("utf-8"))
    source = found["source"] if text else found[0]["source"]
    assert os.fsencode(source) == odd


def test_a_terminal_shows_what_it_lacks_as_escapes(tmp_path):
    pty = pytest.importorskip("pty")
    shutil.copy(SAMPLES / "print.png", tmp_path / "Ω.png")
    master, terminal = pty.openpty()
    done = subprocess.run(
        [*COMMAND, "read", "Ω.png"],
        stdout=terminal,
        stderr=subprocess.PIPE,
        cwd=tmp_path,
        env={**ENVIRONMENT, "PYTHONIOENCODING": "latin-1", "PYTHONUTF8": "1"},
        timeout=120,
    )
    os.close(terminal)
    shown = os.read(master, 4096)
    os.close(master)
    assert done.returncode == 0, done.stderr
    assert shown.startswith(b"\\u03a9.png\t")


def test_what_pillow_thinks_of_a_picture_is_nobodys_business(tmp_path):
    """Junk for its EXIF; and with every warning an error it is read all the same. Its name may hold
    what parts fields and lines."""
    path = tmp_path / "a\tb\n.jpg"
    with Image.open(SAMPLES / "print.png") as image:
        image.convert("L").save(path, exif=b"Exif\0\0II*\0\x08\0\0\0\x05\0")
    done = subprocess.run(
        [sys.executable, "-W", "error", *COMMAND[1:], "read", "-d", "greedy", path],
        capture_output=True, text=True, env=ENVIRONMENT, timeout=120,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    (line,) = done.stdout.splitlines()
    assert line.startswith(f"{tmp_path}/a\\tb\\n.jpg\tIt was")
