"""Fan-out: one execution and one frame per event for everybody who follows the same."""
