"""Feedback: labels of alerts, and recorded incidents."""
