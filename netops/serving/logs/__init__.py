"""Log messages and events in service: counted for the samples of their devices, as in training."""
