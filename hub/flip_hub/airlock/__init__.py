"""The airlock: the one door by which files leave a project's workspaces, and by which they come in."""
