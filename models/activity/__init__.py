"""Activity: service sessions, who takes part, and the ledger of volunteers' hours."""
