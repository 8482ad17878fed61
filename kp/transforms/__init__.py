"""Transforms of an image and its keypoints together: geometric, photometric, and of the face's shape."""
