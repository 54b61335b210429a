"""Carries out a plan: the only writer of reconciled objects, inventories, Leases and run records."""
