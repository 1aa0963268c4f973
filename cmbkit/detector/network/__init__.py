"""The network, its losses, its weights on disk and their transfer."""
