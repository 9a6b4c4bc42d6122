"""The agent: one process that dials the hub, takes tasks as bytes, and lets the pipeline decide and compute."""
