"""From what cells and rules find of every customer to the entries of declared tables."""
