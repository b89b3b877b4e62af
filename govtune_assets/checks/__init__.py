"""The asset checks: each gate's measure, its threshold, and the data version that it looked at."""
