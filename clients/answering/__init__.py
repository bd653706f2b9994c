"""What a holder does with a question: the node, what it admits and keeps, its folder. No data is read here."""
