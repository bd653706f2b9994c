"""What every page of the product shares: texts, numbers, style, language switch, picture helpers.

It stands here because the coordinator's report and the holder's page must look and round alike, and neither side may
import the other. Nothing in it touches data, noise or budget; the digest of the contract's code leaves it out
(:mod:`privacy.protocol.code`). jinja2 and matplotlib come with ``[node]`` and are imported inside functions only.
"""
