"""The dispatcher: takes signed-off jobs, sends their tasks to the Trusts, and makes results of what comes back."""

from flip_hub.dispatcher.program import run

__all__ = ["run"]
