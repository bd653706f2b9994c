"""Models that rank customers: integers only, so that holders' scores are the same on every machine.

Any analysis that foretells an outcome may use them; how they are trained is its own business.
"""
