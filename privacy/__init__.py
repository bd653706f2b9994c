"""The contract between holders and the coordinator: what may leave, what it costs, and the proof of it."""
