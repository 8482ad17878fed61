"""The tab: how good networks are, and where they fail."""
