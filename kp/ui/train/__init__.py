"""The Train tab: train a network and follow its loss and error."""
