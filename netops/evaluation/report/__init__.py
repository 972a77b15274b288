"""The run report: one HTML file that needs nothing else, for people who look rather than read."""
