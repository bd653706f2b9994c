"""Many holders on one machine: generated worlds, workspaces, the in-process transport, local deployments."""
