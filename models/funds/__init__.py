"""Funds: gifts and their restrictions, allocations, disbursements, and the ledger that ties them together."""
