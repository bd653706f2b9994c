"""Declared tables on the coordinator's side: the catalogue, the one question, figures, and their part of the report."""
