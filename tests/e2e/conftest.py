"""Demo data behind the pages."""

from tests.demo import demo, demo_of_module, demo_to_change

__all__ = ["demo", "demo_of_module", "demo_to_change"]
