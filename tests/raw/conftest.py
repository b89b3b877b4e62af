"""A small EDGAR folder and a replica of it, as the tests of the client have them."""

from tests.edgar.conftest import folder, replica

__all__ = ["folder", "replica"]
