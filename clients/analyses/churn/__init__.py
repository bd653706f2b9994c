"""Churn, on a holder's side."""
