"""Requests to a served network, independent of the server: endpoints, queries, feedback, access."""
