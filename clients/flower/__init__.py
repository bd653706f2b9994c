"""Flower on the holder's side: a node of our own over the fleet API; the only package here that touches Flower."""
