"""A network's kernels and feature maps as arrays."""
