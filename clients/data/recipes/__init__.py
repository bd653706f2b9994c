"""How features are worked out from a customer's sums: the common ones here, an analysis' own in its room."""
