"""From raw data to a monitored, self-retraining model, with git as the only database."""

__version__ = "0.1.0"
