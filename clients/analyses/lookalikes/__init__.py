"""Look-alikes, on a holder's side."""
