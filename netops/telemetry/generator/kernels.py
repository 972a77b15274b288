"""How the generator's kernels are compiled, and when what was compiled is forgotten."""

from contextlib import suppress
from pathlib import Path

from numba import njit

#: Compiles for use without the interpreter's lock; dividing by zero gives infinity, as in numpy.
kernel = njit(cache=True, nogil=True, error_model="numpy")


def forget_outdated(folder: Path) -> int:
    """Remove compiled kernels that are older than any source file beside them; return how many.

    Numba looks at the file that a kernel stands in, not at those whose kernels and constants it uses: after an
    update it would go on with half of the old ones.
    """
    newest = max((source.stat().st_mtime_ns for source in folder.glob("*.py")), default=0)
    removed = 0
    # A folder that cannot be written holds what was compiled for it; another process may be as quick.
    with suppress(OSError):
        for index in (folder / "__pycache__").glob("*.nbi"):
            if index.stat().st_mtime_ns < newest:
                index.unlink(missing_ok=True)
                removed += 1
    return removed


forget_outdated(Path(__file__).parent)
