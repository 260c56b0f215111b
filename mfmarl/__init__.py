"""Learn, imitate and audit policies in large populations of agents."""

__version__ = "0.1.0"
