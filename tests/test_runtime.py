import os
import subprocess
import sys
from pathlib import Path

SAMPLES = Path(__file__).parent.parent / "datasets" / "samples"
CODE = "import ocr, sys; print(list(ocr.load(decoder='greedy').read(sys.argv[1:]))[0].text)"


def test_nothing_is_told_to_the_maker_of_onnxruntime(tmp_path):
    """Since 1.29 it keeps a number of the machine below the home, and reports sessions."""
    mute = {"ORT_DISABLE_TELEMETRY", "ORT_RUNNING_UNIT_TESTS", "CI", "GITHUB_ACTIONS", "TF_BUILD"}
    env = {k: v for k, v in os.environ.items() if k not in mute}
    env |= {"HOME": str(tmp_path), "XDG_CACHE_HOME": str(tmp_path / "cache")}
    command = [sys.executable, "-c", CODE, str(SAMPLES / "print.png")]
    done = subprocess.run(command, env=env, capture_output=True, text=True, check=True)
    assert "bright cold morning" in done.stdout
    assert not [p for p in tmp_path.rglob("*") if p.is_file()]
