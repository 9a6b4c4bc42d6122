"""What is done to an image before a model sees it: the same code at a Trust and in a researcher's preview."""
