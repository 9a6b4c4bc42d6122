"""The commands of ``flip``, one module for each kind of work; ``running`` is what all of them share."""
