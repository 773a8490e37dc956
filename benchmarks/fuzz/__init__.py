"""Mutated clips, pictures, models and run files, lying times and failing machines, each under a watchdog."""
