"""Services that all pages share: runs, downloads, loaded networks, measurements."""
