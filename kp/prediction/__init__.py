"""From an image to the keypoints of each face in it: `predictor.py` reads top to bottom."""
