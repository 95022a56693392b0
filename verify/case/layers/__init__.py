"""Cases of a backward pass of any kind: sizes, options, values."""
