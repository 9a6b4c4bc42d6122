"""Images of persons as rows of what a model takes: chosen, decoded, resampled, kept for later jobs.

Only de-identified instances are read. What was made of a series or a slide stays in the Trust's home.
"""

from flip_trust.features.images.rows import image_rows

__all__ = ["image_rows"]
