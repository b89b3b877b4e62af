"""Runs the local cloud's services and Dagster as one thing that starts, answers and stops together.

What belongs here: processes, ports, health, the state folder and its lock, and the command line. What the services
hold is put there by `localcloud.seed`.
"""
