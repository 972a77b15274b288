"""The feature engine: declaration of features, streaming kernel, batch."""
