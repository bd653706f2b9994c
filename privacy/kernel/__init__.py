"""What all parties stand on: canonical text, customers and their features, exact arithmetic on rows, bounds, terms."""
