"""Signing in by WeChat's mini-program, proving a phone number, and becoming one person."""
