"""Public conformance checks, run against a live server."""
