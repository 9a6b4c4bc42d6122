"""What a FLIP researcher imports."""
