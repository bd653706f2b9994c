"""Clusters, on the coordinator's side."""
