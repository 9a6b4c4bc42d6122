"""What a workspace's Jupyter Server is held to; it imports nothing of the hub's, as a workspace carries none of it."""
