"""The demo's server as a service: it is ended by a signal."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

ROOT = Path(__file__).parent.parent


@pytest.mark.skipif(os.name == "nt", reason="signals of POSIX")
def test_uploads_go_with_the_server(tmp_path, samples):
    environment = {k: v for k, v in os.environ.items() if k != "GRADIO_TEMP_DIR"}
    server = subprocess.Popen(
        [sys.executable, "-m", "ocr.cli", "demo"],
        stdout=subprocess.PIPE,
        text=True,
        env={**environment, "TMPDIR": str(tmp_path), "PYTHONPATH": str(ROOT)},
    )
    try:
        address = server.stdout.readline().split()[-1]
        with (samples / "print.png").open("rb") as file:
            answer = httpx.post(f"{address}gradio_api/upload", files={"files": file})
        (uploaded,) = map(Path, answer.json())
        assert uploaded.is_file() and uploaded.is_relative_to(tmp_path)
        assert not uploaded.is_relative_to(tmp_path / "gradio")
        server.send_signal(signal.SIGTERM)
        assert server.wait(20) == 0
    finally:
        server.kill()
        server.wait()
    assert not list(tmp_path.rglob("*.png"))
