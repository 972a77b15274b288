"""The other processes that read the same stream: answers for the whole network."""
