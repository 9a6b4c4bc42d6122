"""What the hub, the Trusts and the notebook agree on: frozen records, signatures, rules and state tables."""
