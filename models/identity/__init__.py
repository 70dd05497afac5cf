"""How people and machines prove who they are: accounts, sign-ins, keys."""
