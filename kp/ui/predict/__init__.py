"""The tab: keypoints of the visitor's own photo."""
