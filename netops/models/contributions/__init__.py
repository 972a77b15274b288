"""What each feature contributed to the risk of a sample, for each form of model."""
