"""Predicted faces in file formats: JSON, tables, iBUG .pts, COCO keypoints, aligned crops.

All but `.pts` count pixels from 0 (an integer is a pixel's centre), faces from 1 and points from 0.
"""
