"""Estimates with their margins, and the grid of withheld ones. Nothing here decides what leaves a holder."""
