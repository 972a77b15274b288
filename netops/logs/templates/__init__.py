"""Templates of log messages: masks, a parse tree of fixed depth, and what is stored of it."""
