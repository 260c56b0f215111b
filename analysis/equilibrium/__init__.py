"""How far a profile of policies is from an equilibrium: best-response gaps, NashConv, type exclusion."""
