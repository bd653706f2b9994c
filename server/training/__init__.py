"""Training on noisy sums and judging on noisy counts: what analyses that foretell an outcome share."""
