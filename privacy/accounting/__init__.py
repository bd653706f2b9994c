"""What releases cost: events as facts, and the accountants that price them."""
