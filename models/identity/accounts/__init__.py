"""Accounts of staff: a phone number or an e-mail address, a password, one-time codes."""
