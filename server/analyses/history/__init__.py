"""Next purchases, on the coordinator's side."""
