"""UCSD Ped1 and Ped2: measured row by row, tables, plots, pictures; run as `benchmarks.ped1` and `benchmarks.ped2`."""
