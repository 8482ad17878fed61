"""Videos with keypoints: reading and writing files, following faces from frame to frame."""
