"""Synthetic faces with exact labels: nobody real, painted from statistics and a seed."""
