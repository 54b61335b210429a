"""Carries out a plan: waves, health, prune, inventory, Lease. The only writer of reconciled objects."""
