"""The tab: kernels and feature maps."""
