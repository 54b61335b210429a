"""The reconciler as a process that lives: follows git, reconciles each environment, repairs drift, reports."""
