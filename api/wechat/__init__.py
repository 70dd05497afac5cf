"""The WeChat platform: a thin client of it, and a fake to develop and test with."""
