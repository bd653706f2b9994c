"""RFM segments, on the coordinator's side."""
