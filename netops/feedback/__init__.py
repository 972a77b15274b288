"""Labels that people give to alerts, and incidents that they record."""
