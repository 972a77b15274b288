"""Fixtures of all tests."""

import os
import shutil
from collections.abc import Callable

import pytest


@pytest.fixture(scope="session")
def require_program() -> Callable[..., str]:
    """Find a program by one of its names; without it the test skips, or fails where NETOPS_REQUIRE_ALL=1."""

    def find(*names: str) -> str:
        for name in names:
            if path := shutil.which(name):
                return path
        reason = f"{names[0]} is not installed"
        if os.environ.get("NETOPS_REQUIRE_ALL") == "1":
            pytest.fail(f"{reason}, and NETOPS_REQUIRE_ALL=1 asks for it")
        pytest.skip(reason)

    return find
