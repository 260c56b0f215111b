"""The report on imitations: a page of each environment over methods and seeds."""
