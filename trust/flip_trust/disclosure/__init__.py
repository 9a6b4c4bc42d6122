"""What turns an exact result into one that may leave: noise, floors, rounding, bounds."""
