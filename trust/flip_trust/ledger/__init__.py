"""The ledger: what every release cost, as events, never as epsilons; the hub only mirrors its sums."""
