"""Parts of `benchmarks.scale_check`: true heights, one measurement in a process of its own, and pictures of both."""
