"""What a log costs, in time and memory, beside other ways of asking the same: ``python -m benchmarks``."""
