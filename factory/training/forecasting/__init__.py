"""Forecasts of series: what a team writes, the rows that models learn from, and what is measured of them."""
