"""What measures what was learnt, and shows it."""
