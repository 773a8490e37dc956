"""Watching a camera: everything between its frames and who is told of its events."""
