"""The language of tags: one-line rules about one customer, read into a closed, typed tree and answered exactly.

Standard library and NumPy only, so that both sides of a study can read a rule alike. Nothing of a rule is ever run as
code: a text becomes tokens of a short list (``tokens``), Python's own parser puts them in order, and of what it finds
only the nodes and names that ``reader`` lists by name are taken. What rules need of events is asked elsewhere, in the
database where the events are; ``truth`` answers on columns of integers, one number a customer.
"""
