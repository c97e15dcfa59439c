"""What a model may call: reads, and proposals of changes. Each function's docstring is what the model is told."""
