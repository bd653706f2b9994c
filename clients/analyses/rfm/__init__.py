"""RFM segments, on a holder's side."""
