"""`python -m kp predict`: finding the photos, predicting them in worker processes, resuming a run."""
