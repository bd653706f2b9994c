"""The holder's own page: what was released, set against the holder's own rows. Never sent; costs no budget."""
