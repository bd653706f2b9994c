"""Attacks on this installation: the release path on neighbouring inputs, planted faults, membership inference."""
