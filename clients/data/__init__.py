"""The holder's data: sources, cleaning, the customer table, and the check before a study."""
