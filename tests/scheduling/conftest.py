"""The run database that the tests of workflows have."""

from tests.workflows.conftest import database, home

__all__ = ["database", "home"]
