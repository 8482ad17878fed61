"""Shared: what outlives a page: runs, downloads, loaded networks, measurements."""
