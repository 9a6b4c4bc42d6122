"""Jobs over pretend Trusts, in the notebook: the Trusts' own mechanisms, their noise, the hub's arithmetic."""
