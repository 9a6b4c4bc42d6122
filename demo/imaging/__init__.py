"""The second demo: images, from a scanner to de-identified files at the Trust."""
