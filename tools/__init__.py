"""Tools that are run in a checkout and are not part of the library."""
