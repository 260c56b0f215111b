"""Pure mathematics on tensors: mean actions, policies, targets, losses, importance ratios. Knows no Ray and no game."""
