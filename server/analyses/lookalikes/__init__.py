"""Look-alikes, on the coordinator's side."""
