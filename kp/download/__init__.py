"""Downloading the dataset: sources, resumable transfers, checked and safe unpacking."""
