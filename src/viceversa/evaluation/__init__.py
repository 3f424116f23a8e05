"""Measures of what a translator does."""
