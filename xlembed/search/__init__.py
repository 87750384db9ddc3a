"""Nearest neighbours: one primitive, top-k of similarity plus a number per key."""
