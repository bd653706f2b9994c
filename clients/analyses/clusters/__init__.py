"""Clusters, on a holder's side."""
