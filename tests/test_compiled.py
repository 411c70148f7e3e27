import os
import subprocess
import sys
from pathlib import Path

import pytest

from ocr.compiled import compiled, is_kept
from ocr.kernel_cache import SOURCES

ROOT = Path(__file__).parent.parent


def test_what_can_be_kept_nowhere_is_compiled_all_the_same():
    # what has no file has no place beside it, as in a container that can be read only
    space = {"compiled": compiled}
    exec("@compiled()\ndef twice(x):\n    return 2 * x\n", space)
    assert space["twice"](21) == 42
    assert space["twice"].nopython_signatures


def test_what_is_kept_is_known():
    from ocr.lm.ngram import advance

    assert is_kept(advance)
    space = {"compiled": compiled}
    exec("@compiled()\ndef twice(x):\n    return 2 * x\n", space)
    assert not is_kept(space["twice"])


def test_what_has_a_file_is_kept():
    from ocr.lm.ngram import advance

    assert type(advance._cache).__name__ == "KernelCache"


def test_all_files_of_compiled_loops_are_looked_at():
    package = ROOT / "ocr"
    files = [p for p in package.rglob("*.py") if "\n@compiled(" in p.read_text(encoding="utf-8")]
    assert sorted(p.relative_to(package).as_posix() for p in files) == sorted(SOURCES)


TWICE = """
import conditions
from ocr.compiled import compiled

@compiled()
def twice(x):
    return 2 * x

assert twice(21) == 42
kept = sum(twice.stats.cache_hits.values())
print(kept)
"""


def hits(folder, before=""):
    """How many functions a new process finds in the cache of `folder`."""
    script = folder / "twice.py"
    if not script.exists():  # its time is part of the cache's stamp
        script.write_text(TWICE)
    (folder / "conditions.py").write_text(before)
    done = subprocess.run(
        [sys.executable, "-B", script],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NUMBA_CACHE_DIR": str(folder / "kept")},
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_change_in_another_file_of_loops_makes_all_old(tmp_path):
    changed = "import ocr.kernel_cache\nocr.kernel_cache._stamp = lambda: 'changed'\n"
    assert [hits(tmp_path), hits(tmp_path), hits(tmp_path, changed)] == [0, 1, 0]


@pytest.mark.skipif(os.name == "nt", reason="limits of POSIX")
def test_a_full_disk_costs_no_more_than_the_compiling(tmp_path):
    # no file may grow to the size of machine code, an index fits
    full = (
        "import resource, signal\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))\n"
    )
    assert [hits(tmp_path, full), hits(tmp_path), hits(tmp_path)] == [0, 0, 1]


def test_what_is_kept_needs_nothing_that_compiles(tmp_path):
    """Half a second of imports, of SciPy, too; and what is compiled after it gets them."""
    (tmp_path / "twice.py").write_text(
        TWICE + "import sys\nfrom numba import njit\n"
        "assert ('numba.np.linalg' in sys.modules) != bool(kept)\n"
        "assert njit(lambda x: 3 * x)(14) == 42\n"
    )
    assert [hits(tmp_path), hits(tmp_path)] == [0, 1]


def test_a_damaged_index_is_made_anew(tmp_path):
    assert hits(tmp_path) == 0
    (index,) = (tmp_path / "kept").rglob("*.nbi")
    index.write_bytes(b"")
    assert [hits(tmp_path), hits(tmp_path)] == [0, 1]
