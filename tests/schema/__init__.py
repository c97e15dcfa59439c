"""The public contract: what it may look like, who may use it, what it refuses."""
