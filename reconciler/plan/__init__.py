"""Normalises, compares, orders and judges. Pure: no git, no cluster, no clock, no log."""
