"""The tab: browse the frames with their labels."""
