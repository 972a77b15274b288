"""Where the stages compute: in this process, or on the workers of a Dask cluster."""
