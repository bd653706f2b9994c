"""Churn, on the coordinator's side."""
