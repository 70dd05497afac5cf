"""How fast the server is, beside others that answer the same questions over the same database: see README.md."""
