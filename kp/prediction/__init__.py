"""From an image to the keypoints of each face in it; start with `predictor.py`."""
