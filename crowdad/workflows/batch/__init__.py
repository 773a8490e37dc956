"""Many files, and pieces of long ones, side by side."""
