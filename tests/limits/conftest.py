"""Demo data for these tests."""

from tests.demo import demo_of_module

__all__ = ["demo_of_module"]
