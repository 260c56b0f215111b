"""Three methods that carry the name MEGA-DAgger.

model_based: an ensemble of world models says where the expert must be asked; what this project means by default.
multi_expert: several imperfect experts, weighted by what they returned, vote on labels.
safety_filter: the 2023 paper (Sun et al.): takeovers by imperfect experts, recorded only while a barrier holds.
"""
