"""The modules whose mutants are tried, and the tests that have to notice them."""

from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Module:
    """A module and the tests near it.

    Attributes
    ----------
    path : str
        From the root of the repository.
    tests : tuple of str
        What pytest runs: fast, and in the process itself.
    interpreted : bool
        Kernels run as Python: to compile each mutant would take most of the time.
    """

    path: str
    tests: tuple[str, ...]
    interpreted: bool = False

    @property
    def name(self) -> str:
        """Its name in an import."""
        return self.path.removesuffix(".py").replace("/", ".")


MODULES = (
    # Compiled, a mutant takes a minute. As Python the tests of the engine take longer than that, hence these: few
    # samples first, and beside them the definition on more of them. The code is the same but that an index outside
    # of an array is an error, and no int64 overflows.
    Module(
        "netops/features/kernel.py",
        ("tests/features/test_kernel.py", "tests/features/test_batch.py"),
        interpreted=True,
    ),
    Module("netops/alerting/machine.py", ("tests/alerting/test_machine.py",)),
    Module("netops/training/labels.py", ("tests/training/test_labels.py",), interpreted=True),
    Module("netops/training/splits.py", ("tests/training/test_splits.py",)),
    Module("netops/alerting/resampling.py", ("tests/alerting/test_resampling.py",), interpreted=True),
    Module(
        "netops/evaluation/promotion.py", ("tests/evaluation/test_selection.py", "tests/docs/test_configuration.py")
    ),
    Module("netops/serving/engine/snapshot.py", ("tests/serving/test_snapshot.py",)),
    Module("netops/serving/decode/loki.py", ("tests/serving/bodies/test_loki.py",)),
    Module("netops/serving/engine/lease.py", ("tests/serving/stream/test_lease.py",)),
    Module("netops/serving/stream/messages.py", ("tests/serving/stream/test_messages.py",)),
    Module("netops/serving/syslog/framing.py", ("tests/serving/syslog/test_framing.py",)),
    Module(
        "netops/tracking/database/runs.py", ("tests/tracking/test_runs.py", "tests/tracking/test_conformance.py")
    ),
)
