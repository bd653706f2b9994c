"""Worlds to try things in: made-up shops, keys and folders, carriers and whole deployments on one machine."""
