"""Datasets as versioned tables: snapshots, and how they come to be."""
