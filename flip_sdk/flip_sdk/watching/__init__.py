"""Showing a job while it runs: what is known (progress), how it looks (page), and where it is shown (views)."""
