"""The repurchase analysis on the coordinator's side: its question, its figures and its part of the report."""
