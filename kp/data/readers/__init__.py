"""Label formats: one file each. All give keypoints (n, 68, 2) with NaN for points that are not labelled."""
