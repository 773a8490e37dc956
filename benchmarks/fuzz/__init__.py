"""Mutated clips, pictures, models and run files against the reader and the whole of `detect`, each under a watchdog."""
