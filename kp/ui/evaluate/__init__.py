"""The Evaluate tab: the accuracy of networks, and the faces on which they fail."""
