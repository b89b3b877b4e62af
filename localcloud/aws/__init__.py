"""An AWS endpoint on loopback: moto's server with jobs that really run, IAM that is enforced, and lasting state.

Run `python -m localcloud.aws --port N --state DIR --root-credentials FILE`. See `docs/decisions/local-aws.md`.
"""
