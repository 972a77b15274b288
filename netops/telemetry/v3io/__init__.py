"""v3io: addresses, tables and streams."""
