"""A corpus of real size: fictional companies whose filings have the weight and the markup of real ones.

`python -m localcloud.edgar.scale --out FOLDER` writes it. Documents lie there without their bulk, which the replica
puts in as it serves them (see `localcloud.edgar.bodies`).
"""
