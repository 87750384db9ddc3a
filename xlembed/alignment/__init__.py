"""Mapping two vector spaces into one."""
