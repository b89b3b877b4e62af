"""Pipes clients: launch a job, hand it its context, bring back its messages, stop it when the run stops."""
