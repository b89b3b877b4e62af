"""A replica of the parts of EDGAR that the project reads, and the fictional corpus that it serves by default.

`python -m localcloud.edgar` serves a folder at EDGAR's URLs with the SEC's fair-access rules;
`python -m localcloud.edgar.sample` writes a folder of fictional companies in that layout.
"""
