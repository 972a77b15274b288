"""Recurring runs: cron, the scheduler, retraining on drift."""
