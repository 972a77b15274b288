"""The live dashboard: fleet, device, models and runs in a browser."""
