"""Resources: each hands out a plain client or domain object built from the settings."""
