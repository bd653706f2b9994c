"""The result of a study as one HTML file, in English and Chinese, and as plain sentences."""
