"""Who read which object of table data, and by which grant: S3's records joined with the catalog's.

Two logs are read, both as objects in S3 and both the same locally and in production: data events of a CloudTrail
trail (`trail`) and the workspace's delivered audit log (`catalog_log`). `ledger` joins them by access key id.
"""
