"""Run folders: what a run writes, whole or not at all, and what reading it checks."""
