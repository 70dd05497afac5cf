"""Invented data: the demo, the whole city, or a fraction of it; and the demo accounts in them.

Divisions are real; people, organizations, funds and gifts are made up. `load` fills an empty database; `accounts` and
`account` find the account of each role in it.
"""

from models.seed.cast import account, accounts
from models.seed.loading import load

__all__ = ["account", "accounts", "load"]
