"""Requests of a served network, whatever server receives them: endpoints, queries, feedback, access."""
