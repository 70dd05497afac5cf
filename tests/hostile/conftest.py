"""Demo data, and processes over them, as tests/faults has them."""

from tests.faults.conftest import here, loaded

__all__ = ["here", "loaded"]
