"""The serving engine: the state of a network and the processing steps of its samples."""
