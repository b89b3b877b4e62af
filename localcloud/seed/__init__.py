"""Fills a fresh local cloud with what an administrator would have set up, and leaves what is there alone.

What belongs here: buckets, roles, keys, secrets and the Spark application on the AWS side; principals, storage and
the catalog on the Databricks side; the base model; and the settings that point the product at all of it. Every step
looks first and creates only what is missing, so seeding again is safe and quick.
"""
