"""Every claim about speed and accuracy, measured beside a peer in the same run."""
