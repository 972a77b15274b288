"""From labelled samples to fitted models: splits, examples, families, search."""
