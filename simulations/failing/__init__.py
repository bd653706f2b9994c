"""Federations whose parties die and whose messages are lost: is everything that was released accounted for?"""
