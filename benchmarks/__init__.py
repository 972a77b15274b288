"""Each speed claim, beside the peer it is measured against: ``python -m benchmarks [NAME…]``."""
