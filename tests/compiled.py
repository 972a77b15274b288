"""Kernels of this checkout for a copy of it elsewhere, which would compile the same ones for a minute."""

from pathlib import Path

import netops

#: To be added to the environment of a process.
COMPILED = {"NUMBA_CACHE_DIR": str(Path(netops.__file__).parent / "__pycache__")}
