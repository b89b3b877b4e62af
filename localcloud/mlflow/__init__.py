"""MLflow's own tracking server as a service of the local cloud, behind a door.

What belongs here: how the server is started in its own environment, and who may ask it for what. `__main__` runs there,
beside MLflow; `door` needs the standard library only.
"""
