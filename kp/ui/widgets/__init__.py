"""Shared: parts of a page that several tabs use."""
