"""The HTTP server: limits, authentication, endpoints, metrics."""
