"""Synthetic faces (nobody real) with exact labels, rendered from a statistical model and a seed."""
