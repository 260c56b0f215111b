"""Learning to play as an expert population does, from sampled trajectories of it."""
