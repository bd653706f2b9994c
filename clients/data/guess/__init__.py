"""What a file's columns mean, guessed from names and a sample, for the first draft of ``holder.toml``."""
