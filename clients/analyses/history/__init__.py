"""Next purchases, on a holder's side."""
