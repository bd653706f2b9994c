"""What an auditor runs: offline, on copies of ledgers, with the base install."""
