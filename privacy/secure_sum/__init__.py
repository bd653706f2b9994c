"""The secure sum: masks that cancel when, and only when, all participants answer the same plan."""
