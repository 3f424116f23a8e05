"""The training engine: trainer, checkpoints, and what happens around them."""
