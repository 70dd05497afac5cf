"""The marketplace: needs, offers, and the commitments that bring them together."""
