"""The endpoints, one file each; ``netops.serving.requests.registry`` lists them."""
