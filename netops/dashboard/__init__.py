"""The live dashboard: fleet, devices, models and runs in a browser."""
