"""The only door to RLlib: its Algorithm, EnvRunner, RLModule and Learner around the Ray-free core.

RLlib adds distribution, fault tolerance, remote learners and Tune; every number is computed by the same code as in
`mfmarl.trainer.LocalTrainer`, and one iteration through either is equal bit for bit (tests/mfmarl/rllib).
"""
