"""Demo data under the schema."""

from tests.demo import demo

__all__ = ["demo"]
