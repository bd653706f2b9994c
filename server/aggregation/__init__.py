"""What the coordinator adds to exact sums where the consortium trusts it with them (placement ``central``)."""
