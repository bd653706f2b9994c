"""The data holder: its data, its policy, its ledger, its answers, and what it does with the results."""
