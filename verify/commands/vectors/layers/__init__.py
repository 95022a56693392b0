"""Vectors of layers: known gradients of the references by name, such as a convolution's."""
