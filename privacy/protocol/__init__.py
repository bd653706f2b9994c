"""What parties say to each other: studies, signed messages, rosters, what is charged for, the digest of the code."""
