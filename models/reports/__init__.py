"""Reports: counts and sums over the other areas, equal to a recomputation from their rows."""
