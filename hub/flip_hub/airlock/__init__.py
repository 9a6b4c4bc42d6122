"""The airlock: what is asked to leave, what checks and people say of it, and what leaves."""
