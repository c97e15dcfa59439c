"""How a model reads and changes the system: tools, prompts, models, and the turns of a chat."""
