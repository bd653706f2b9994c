"""Flower on the coordinator's side: SuperLink, gateway and runs; the only package here that touches Flower."""
