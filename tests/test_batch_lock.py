"""The lock of a run: one at a time, whoever comes and goes meanwhile."""

import os
import threading
import time
from pathlib import Path

import pytest

from ocr.batch.lock import ForeignError, HeldError, locked


def test_one_at_a_time_and_nothing_is_left(tmp_path):
    path = tmp_path / "x.lock"
    with locked(path):
        with pytest.raises(HeldError), locked(path):
            pass
        assert path.exists()
    assert not path.exists()
    with locked(path):
        pass
    assert list(tmp_path.iterdir()) == []


def test_a_file_that_is_left_by_a_killed_run_is_no_lock(tmp_path):
    path = tmp_path / "x.lock"
    path.touch()
    with locked(path):
        pass
    assert not path.exists()


@pytest.mark.parametrize("make", [lambda p: p.write_bytes(b"x"), os.mkfifo, os.mkdir])
def test_what_is_no_lock_stays(tmp_path, make):
    """A file of a single byte, a pipe, a folder."""
    make(tmp_path / "x.lock")
    with pytest.raises(ForeignError), locked(tmp_path / "x.lock"):
        pass
    assert (tmp_path / "x.lock").exists()


def test_what_its_holder_removes_is_nobodys_lock(tmp_path):
    """Many come and go: each removes the file that another may just have opened."""
    path = tmp_path / "x.lock"
    inside, most, rounds = 0, 0, 0
    counting = threading.Lock()

    def come_and_go():
        nonlocal inside, most, rounds
        while rounds < 100:
            try:
                with locked(path):
                    with counting:
                        inside += 1
                        most, rounds = max(most, inside), rounds + 1
                    time.sleep(1e-4)
                    with counting:
                        inside -= 1
            except HeldError:
                pass

    threads = [threading.Thread(target=come_and_go) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert most == 1


def test_a_file_that_cannot_be_removed_is_no_failure(tmp_path, monkeypatch):
    def refuse(self, missing_ok=False):
        raise PermissionError(13, "in use", str(self))

    monkeypatch.setattr(Path, "unlink", refuse)
    for _ in range(2):
        with locked(tmp_path / "x.lock"):
            pass
