"""How the coordinator runs studies: serving, rounds, attempts, resuming, what is spent. It names no analysis."""
